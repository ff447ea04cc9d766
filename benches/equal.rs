//! Times each pass of a convolution and, in turns with it, the library's own matrix product of the same shape
//! as the pass has as an implicit product. Prints a table, which shows the cost of gathering the operands.
//! `cargo bench --bench equal -- 5x5` runs the problems whose name contains `5x5`.

#[path = "../tests/cases/mod.rs"]
mod cases;
#[path = "../tests/harness/mod.rs"]
mod harness;

use harness::{Case, numbers};
use std::time::{Duration, Instant};
use wgrad::ops::matmul::MatMul;
use wgrad::{Session, Shape};

/// Samples of each of the two, and the least duration of a sample.
const SAMPLES: usize = 9;
const SAMPLE: Duration = Duration::from_millis(50);

/// M, K and N of a pass with one group. For an input gradient with a stride, K is the average number of the
/// window's taps that count, so that both do the same work.
fn product(case: &Case) -> Option<[usize; 3]> {
    let kinds = case.kinds();
    let outputs = case.operator.infer(&kinds.iter().collect::<Vec<_>>()).expect("the case is valid");
    let (first, second, output) = (&kinds[0].shape, &kinds.get(1)?.shape, &outputs[0].shape);
    let pixels = |images: &Shape| images[0] * images[2] * images[3];
    let unrolled = |weight: &Shape| weight[1] * weight[2] * weight[3];
    match case.operator.name() {
        "conv2d" if first[1] == second[1] => Some([second[0], unrolled(second), pixels(output)]),
        "conv2d_grad_input" if output[1] == second[1] => {
            let taps = first.elements() * unrolled(second);
            Some([output[1], taps / output.elements(), pixels(output)])
        }
        "conv2d_grad_weight" if second[1] == output[1] => Some([output[0], pixels(first), unrolled(output)]),
        _ => None,
    }
}

/// Seconds per step, of this many steps and one wait.
fn sample(session: &mut Session, steps: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..steps {
        session.step().expect("the step runs");
    }
    session.wait().expect("the device answers");
    start.elapsed().as_secs_f64() / f64::from(steps)
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// The session of `case` with the default plan, its last kernel's variant, and the steps of a sample.
fn prepared(case: &Case) -> (Session, &'static str, u32) {
    let mut session = harness::prepare_default(case).unwrap_or_else(|e| panic!("{}: {e}", case.name)).session;
    let variant = session.plan().steps().last().map_or("", |s| s.variant.name());
    sample(&mut session, 1);
    let fastest = (0..3).map(|_| sample(&mut session, 1)).fold(f64::INFINITY, f64::min);
    (session, variant, (SAMPLE.as_secs_f64() / fastest).ceil() as u32)
}

fn main() {
    // Cargo appends an option of its own.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    println!("adapter: {}\n", harness::device().summary());
    println!("| pass | problem | variant | GFLOP/s | as a product | variant | GFLOP/s | share |");
    println!("|---|---|---|---|---|---|---|---|");
    for case in cases::large().into_iter().filter(|case| case.name.contains(&wanted)) {
        let Some([m, k, n]) = product(&case) else { continue };
        let flops = 2.0 * (m * k * n) as f64;
        // The unrolled operand may be too large to bind. Fewer columns give the same rate.
        let bytes = harness::device().caps().max_binding_bytes as usize;
        let columns =
            std::iter::successors(Some(n), |n| Some(n / 2)).find(|n| 4 * k * n <= bytes).expect("one fits");
        let operator = MatMul { transpose_lhs: false, transpose_rhs: false };
        let matmul = Case::new("", operator, vec![numbers([m, k], 1), numbers([k, columns], 2)]);
        let (mut pass, pass_variant, pass_steps) = prepared(&case);
        let (mut equal, equal_variant, equal_steps) = prepared(&matmul);
        let (mut of_pass, mut of_equal) = (Vec::new(), Vec::new());
        for _ in 0..SAMPLES {
            of_pass.push(sample(&mut pass, pass_steps));
            of_equal.push(sample(&mut equal, equal_steps));
        }
        let pass = flops / 1e9 / median(&mut of_pass);
        let equal = 2.0 * (m * k * columns) as f64 / 1e9 / median(&mut of_equal);
        println!(
            "| {} | {} | {pass_variant} | {pass:.1} | {m} x {k} x {columns} | {equal_variant} | {equal:.1} | {:.0} % |",
            case.operator.name(),
            case.name,
            100.0 * pass / equal
        );
    }
}
