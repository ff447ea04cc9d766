//! Mixed precision: the device of the parts that measure it, and the part `mixed-verify`, which holds the products by
//! cooperative matrices, and whole training steps, to the f64 reference.

use crate::compile::merge;
use crate::harness::{self, Built, Case, Prepared, build, device, numbers};
use crate::networks::{Trainer, VERIFIED};
use crate::results::Results;
use crate::verify::figures;
use serde_json::{Value, json};
use std::time::Instant;
use wgrad::op::Variant;
use wgrad::ops::conv2d::{Conv2d, Conv2dGradInput, Conv2dGradWeight};
use wgrad::ops::linear::{Linear, LinearGradWeight};
use wgrad::ops::matmul::MatMul;
use wgrad::{Device, DeviceOptions, Error};

/// The share of the part's time after which no further case starts.
const SHARE: f64 = 0.85;
/// Failures that are told of one variant; more are counted.
const MOST_TOLD: usize = 5;

/// A device with cooperative matrices, if the adapter has them.
pub fn open() -> Result<Device, Error> {
    Device::open_with(&DeviceOptions::default().cache(None).cooperative_matrix())
}

/// Does a part with such a device as this thread's. Without f16 the part is left out.
pub fn with_device(
    results: &mut Results,
    work: impl FnOnce(&mut Results) -> Result<(), Error>,
) -> Result<(), Error> {
    let device = open()?;
    if !device.caps().f16 {
        results.leave_out("no f16");
        return Ok(());
    }
    match device.caps().cooperative_matrix {
        Some(matrix) => {
            results.set("cooperative", json!({ "side": matrix.side, "subgroup": matrix.subgroup }));
        }
        None => results.note(
            "The adapter has f16 but no cooperative matrices that kernels can use. Mixed precision is measured without them.",
        ),
    }
    harness::with_device(Box::leak(Box::new(device)), || work(results))
}

/// Writes the part `cooperative`, which only says whether there are such matrices.
pub fn cooperative(results: &mut Results) -> Result<(), Error> {
    let caps = open()?.caps().clone();
    match caps.cooperative_matrix {
        Some(_) => println!("cooperative matrices of side and subgroup: {:?}", caps.cooperative_matrix),
        None if caps.f16 => results.leave_out("no cooperative matrices"),
        None => results.leave_out("no f16"),
    }
    Ok(())
}

/// Products and the passes of convolutions: some that tiles divide, some that none does, with strides.
fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let orders = [(false, false), (true, false), (false, true)];
    for (m, n, k) in [(131, 197, 67), (128, 256, 64)] {
        for (transpose_lhs, transpose_rhs) in orders {
            let lhs = if transpose_lhs { [k, m] } else { [m, k] };
            let rhs = if transpose_rhs { [n, k] } else { [k, n] };
            let mark = |transposed: bool| if transposed { ", transposed," } else { "" };
            let name = format!("{m}x{k}{} by {k}x{n}{}", mark(transpose_lhs), mark(transpose_rhs));
            let operator = MatMul { transpose_lhs, transpose_rhs };
            cases.push(Case::new(name, operator, vec![numbers(lhs, 1), numbers(rhs, 2)]));
        }
    }
    for (batch, from, to) in [(67, 131, 70), (64, 256, 128)] {
        let name = format!("{batch}x{from} to {to}");
        let [x, weight, bias] = [numbers([batch, from], 1), numbers([to, from], 2), numbers([to], 3)];
        cases.push(Case::new(&name, Linear, vec![x.clone(), weight, bias]));
        cases.push(Case::new(&name, LinearGradWeight, vec![numbers([batch, to], 4), x]));
    }
    // Images, channels, side, filters, kernel, stride, padding.
    for [images, channels, side, results, kernel, stride, padding] in [
        [3, 20, 15, 37, 3, 2, 1],
        [2, 64, 16, 64, 3, 1, 1],
        [2, 64, 14, 128, 1, 2, 0],
        [1, 3, 30, 64, 7, 2, 3],
    ] {
        let attributes = Conv2d::default().stride([stride; 2]).padding([padding; 2]);
        let to = (side + 2 * padding - kernel) / stride + 1;
        let name =
            format!("{images}x{channels}x{side}x{side}, {results} of {kernel}x{kernel}, stride {stride}");
        let x = numbers([images, channels, side, side], 1);
        let weight = numbers([results, channels, kernel, kernel], 2);
        let gradient = numbers([images, results, to, to], 3);
        let grad_input = Conv2dGradInput { attributes, input: x.shape.clone() };
        let grad_weight = Conv2dGradWeight { attributes, weight: weight.shape.clone() };
        cases.push(Case::new(&name, attributes, vec![x.clone(), weight.clone()]));
        cases.push(Case::new(&name, grad_input, vec![gradient.clone(), weight]));
        cases.push(Case::new(&name, grad_weight, vec![gradient, x]));
    }
    // The first case of each operator, the second of each, and so on: if the time ends, all have had their turn.
    let turn =
        |at: usize| cases[..at].iter().filter(|c| c.operator.name() == cases[at].operator.name()).count();
    let mut turns: Vec<(usize, usize)> = (0..cases.len()).map(|at| (turn(at), at)).collect();
    turns.sort_unstable();
    let mut cases: Vec<Option<Case>> = cases.into_iter().map(Some).collect();
    turns.into_iter().filter_map(|(_, at)| cases[at].take()).collect()
}

/// What one variant of an operator showed.
struct Row {
    operator: &'static str,
    variant: Variant,
    runs: usize,
    error: f64,
    tolerance: f64,
    failures: Vec<String>,
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "operator": self.operator,
            "variant": self.variant.name(),
            "runs": self.runs,
            "error": self.error,
            "tolerance": self.tolerance,
            "failed": self.failures.len(),
            "failures": self.failures.iter().take(MOST_TOLD).collect::<Vec<_>>(),
        })
    }
}

/// Writes the part `mixed-verify`.
pub fn verify(results: &mut Results) -> Result<(), Error> {
    with_device(results, |results| {
        products(results);
        networks(results);
        Ok(())
    })
}

/// Each variant by cooperative matrices, by turns between tensors of f16 and between those of f32.
fn products(results: &mut Results) {
    let caps = device().caps();
    let in_f16 = |case: &Case| -> Vec<Variant> {
        case.variants_for(caps).into_iter().filter(|variant| variant.is_in_f16()).collect()
    };
    let cases: Vec<(Case, Vec<Variant>)> =
        cases().into_iter().map(|case| (in_f16(&case), case)).map(|(all, case)| (case, all)).collect();
    let planned = cases.iter().map(|(_, variants)| variants.len()).sum::<usize>();
    results.set("planned_runs", planned);
    let mut rows: Vec<Row> = Vec::new();
    let mut runs = 0;
    for (case, variants) in &cases {
        for &variant in variants {
            // Whole networks come too.
            if results.is_past(0.6 * SHARE) {
                continue;
            }
            runs += 1;
            let operator = case.operator.name();
            let known = rows.iter().position(|row| (row.operator, row.variant) == (operator, variant));
            let at = known.unwrap_or(rows.len());
            if known.is_none() {
                let (error, tolerance) = (0.0, 0.0);
                rows.push(Row { operator, variant, runs: 0, error, tolerance, failures: Vec::new() });
            }
            let row = &mut rows[at];
            let halves = row.runs.is_multiple_of(2);
            row.runs += 1;
            match compare(case, variant, halves) {
                Ok((error, tolerance)) => {
                    row.error = row.error.max(error);
                    row.tolerance = row.tolerance.max(tolerance);
                }
                Err(error) => {
                    let of = if halves { "f16" } else { "f32" };
                    row.failures.push(format!("{}, between {of}: {error}", case.name));
                }
            }
            results.replace_rows(rows.iter().map(Row::json).collect());
        }
    }
    let failed: usize = rows.iter().map(|row| row.failures.len()).sum();
    results.set("runs", runs);
    results.set("failed", failed);
    println!("{runs} of {planned} runs by cooperative matrices, {failed} failed");
    results.replace_rows(rows.iter().map(Row::json).collect());
    if runs < planned {
        results.note(format!("The time ended after {runs} of {planned} runs by cooperative matrices."));
    }
    if failed > 0 {
        results.wrong(format!("{failed} of {runs} runs differ from the reference or could not run"));
    }
}

/// The largest error of a variant on a case, and the allowed one.
fn compare(case: &Case, variant: Variant, halves: bool) -> Result<(f64, f64), Error> {
    let built: Built = if halves { harness::halves::between_copies(case) } else { build(case)? };
    let mut session = Prepared::of(built, case, &case.options(variant), device().caps())?.session;
    let nodes = session.verify()?;
    let own = nodes.iter().filter(|node| node.variant == variant.name());
    Ok(own.fold((0.0, 0.0), |(error, allowed), node| (node.error.max(error), node.tolerance.max(allowed))))
}

/// Each node of training steps of whole networks, by the variants that plans choose.
fn networks(results: &mut Results) {
    let mut rows = Vec::new();
    for (number, work) in VERIFIED.iter().enumerate() {
        if results.is_past(SHARE) {
            results.note(format!("The time ended after {number} of {} networks.", VERIFIED.len()));
            break;
        }
        let mut row = work.json();
        let start = Instant::now();
        match Trainer::mixed_by_one(device(), work).and_then(|mut trainer| figures(&mut trainer)) {
            Ok(figures) => merge(&mut row, figures),
            Err(error) => {
                results.wrong(format!("{}: {error}", work.name()));
                row["error"] = error.to_string().into();
            }
        }
        row["seconds"] = start.elapsed().as_secs_f64().into();
        println!("{}: {} nodes", work.name(), row["nodes"]);
        rows.push(row);
        results.set("networks", rows.clone());
    }
}
