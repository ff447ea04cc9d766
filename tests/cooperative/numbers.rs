//! What is rounded and what is not, by hand, and numbers that are not finite.

use crate::harness::{self, Prepared, build, floats, numbers};
use crate::{rounding, with_matrices};
use wgrad::HostTensor;
use wgrad::ops::matmul::MatMul;

/// The product of two matrices by each variant, from what the session reads.
fn products(a: &HostTensor, b: &HostTensor) -> Vec<Vec<f64>> {
    let case = harness::Case::new("by hand", MatMul::default(), vec![a.clone(), b.clone()]);
    let caps = harness::device().caps();
    let product = |variant| {
        let built = build(&case).expect("it is valid");
        let mut prepared = Prepared::of(built, &case, &case.options(variant), caps).expect("it runs");
        pollster::block_on(prepared.run_async()).expect("it runs")[0].to_f64()
    };
    let variants = rounding(&case, caps);
    assert!(!variants.is_empty());
    variants.into_iter().map(product).collect()
}

/// 2049 lies between two numbers of f16, and the even one is 2048; 3 * 65504 is past f16.
#[test]
fn factors_are_rounded_and_sums_are_not() {
    with_matrices(|| {
        let a = floats([2, 3], vec![2049.0, 1.0, 0.0, 65504.0, 65504.0, 65504.0]);
        let b = floats([3, 1], vec![1.0, 1.0, 1.0]);
        for found in products(&a, &b) {
            assert_eq!(found, [2049.0, 196_512.0]);
        }
        // 1 + 2^-20 a million times would stay 1 in f16.
        let (terms, small) = (4096, 1.0 / 1024.0);
        let row: Vec<f32> = std::iter::once(1.0).chain(std::iter::repeat_n(small, terms - 1)).collect();
        let (a, b) = (floats([1, terms], row.clone()), floats([terms, 1], row));
        let expected = 1.0 + (terms - 1) as f64 / (1 << 20) as f64;
        for found in products(&a, &b) {
            assert!((found[0] - expected).abs() < 1e-6, "{found:?}, expected {expected}");
        }
    });
}

/// Sizes that no tile divides, so that a number that leaks past an edge shows.
#[test]
fn numbers_that_are_not_finite_stay_in_their_rows_and_columns() {
    with_matrices(|| {
        let (m, n, k) = (67, 70, 37);
        for (special, in_f16) in
            [(f32::NAN, f32::NAN), (f32::INFINITY, f32::INFINITY), (-1e6, f32::NEG_INFINITY)]
        {
            let mut a = numbers([m, k], 1);
            let b = floats([k, n], vec![0.5; k * n]);
            let wgrad::HostData::F32(data) = &mut a.data else { panic!("it holds floats") };
            data[65 * k + 36] = special;
            for found in products(&a, &b) {
                for (at, &x) in found.iter().enumerate() {
                    let expected = if at / n == 65 {
                        x.to_bits() == f64::from(in_f16).to_bits() || (in_f16.is_nan() && x.is_nan())
                    } else {
                        x.is_finite()
                    };
                    assert!(expected, "{special}: row {}, column {} is {x}", at / n, at % n);
                }
            }
        }
    });
}
