//! What WGSL leaves to drivers: the kernels are right whatever a driver makes of it.
//!
//! A driver may take it that no number is NaN, so that a comparison with one comes out either way. It may count
//! denormal numbers as zero, take the factors of a product in another order, and be off in a logarithm. An adapter does
//! one thing, so kernels are rewritten to have it do the other (`rewrite`, `reorder`, by `tokens`).
//! What the right results are stands in `special_values`, `elementwise` and the tables of cases.

mod reorder;
mod rewrite;
mod tokens;

use crate::harness::{self, Case, sweep};
use crate::normalization::batch;
use crate::{cases, elementwise, special_values};
use std::sync::LazyLock;
use wgrad::{Device, DeviceOptions, Result};

fn open(rewrite: fn(&str) -> String) -> Device {
    let options = DeviceOptions::default().cache(None).rewrite_kernels(rewrite);
    Device::open_with(&options).unwrap_or_else(|e| panic!("{e}"))
}

/// The device of one kind of leeway, opened once.
fn device(name: &str) -> &'static Device {
    static DEVICES: LazyLock<[(&str, Device); 5]> = LazyLock::new(|| {
        [
            ("log", open(rewrite::logarithms_are_inaccurate)),
            ("order", open(reorder::products_are_reordered)),
            ("true", open(rewrite::nan_compares_true)),
            ("false", open(rewrite::nan_compares_false)),
            ("flush", open(rewrite::denormals_are_zero)),
        ]
    });
    &DEVICES.iter().find(|(own, _)| *own == name).expect("it is there").1
}

#[test]
fn operations_are_calls_after_rewriting() {
    let text = "@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x - 1u;
    x[i] *= 2.0 - x[i].y * 1e-5 - 1.0;
    x[i] = select(max(x[i], vec4(0.0)), x[i], x[i] < vec4<f32>(1.0));
}
";
    let flushed = rewrite::denormals_are_zero(text);
    for line in [
        "x[i] = open_multiply_4(vec4<f32>(x[i]), vec4<f32>( open_subtract_1(f32(open_subtract_1(f32(2.0 ), \
         f32( open_multiply_1(f32(x[i].y ), f32( 1e-5)))) ), f32( 1.0))));",
        "x[i] = select(open_max_4(x[i], vec4(0.0)), x[i], open_less_4(vec4<f32>(x[i] ), vec4<f32>( vec4<f32>(1.0))));",
        "let i = id.x - 1u;",
    ] {
        assert!(flushed.contains(line), "{line} is not in\n{flushed}");
    }
    let open = rewrite::nan_compares_true(text);
    assert!(
        open.contains("x[i] *= 2.0 - ") && open.contains("open_max_4(x[i]") && open.contains("open_less_4(")
    );
}

fn has_nan(case: &Case) -> bool {
    case.inputs.iter().any(|x| x.as_f32().is_some_and(|x| x.iter().any(|x| x.is_nan())))
}

fn agree_with_pytorch_and_the_reference() -> Result<()> {
    let mut failures = special_values::kernels_failures()?;
    for (_, cases) in cases::all() {
        let with_nan: Vec<Case> = cases.into_iter().filter(has_nan).collect();
        failures.extend(harness::failures(&with_nan));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    special_values::updates::kernels_of_updates_are_pytorchs()?;
    special_values::long_rows::of_long_rows_nothing_is_lost();
    elementwise::ends_and_kinks_are_pytorchs()?;
    elementwise::functions_are_accurate_in_every_element()
}

#[test]
fn comparisons_with_nan_may_be_true() -> Result<()> {
    harness::with_device(device("true"), agree_with_pytorch_and_the_reference)
}

/// Mesa's software adapter does this by itself.
#[test]
fn comparisons_with_nan_may_be_false() -> Result<()> {
    if !sweep::sweeping() {
        return Ok(());
    }
    harness::with_device(device("false"), agree_with_pytorch_and_the_reference)
}

#[test]
fn factors_may_be_taken_in_another_order() -> Result<()> {
    harness::with_device(device("order"), || {
        batch::deviations_that_overflow_leave_zeros()?;
        agree_with_pytorch_and_the_reference()
    })
}

#[test]
fn logarithms_may_be_inaccurate_near_one() -> Result<()> {
    harness::with_device(device("log"), || {
        elementwise::functions_are_accurate_in_every_element()?;
        let cases = [cases::softmax::cases(), cases::cross_entropy::cases(), cases::loss::cases()];
        let failures = harness::failures(&cases.into_iter().flatten().collect::<Vec<_>>());
        assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
        Ok(())
    })
}

#[test]
fn denormal_numbers_may_be_zero() -> Result<()> {
    harness::with_device(device("flush"), || {
        assert!(harness::flushes_denormals()?, "the probe finds what the driver does");
        agree_with_pytorch_and_the_reference()
    })
}
