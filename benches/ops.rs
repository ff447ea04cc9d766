//! Throughput of every operator, forward and backward, over the shapes of the seed network and of a ResNet.
//! `cargo bench --bench ops -- conv2d` runs a part; `WGRAD_BENCH_VARIANTS=all` times every kernel variant,
//! not only the one that the plan chooses.

#[path = "../tests/cases/mod.rs"]
mod cases;
#[path = "../tests/harness/mod.rs"]
mod harness;
mod measurement;

use criterion::{Criterion, Throughput};
use harness::{Case, Prepared};
use measurement::{Elements, GpuTime};
use std::time::{Duration, Instant};

/// The least bytes that the case reads and writes: each input once, each output once.
fn bytes(case: &Case) -> u64 {
    let kinds = case.kinds();
    let inputs: Vec<_> = kinds.iter().collect();
    let outputs = case.operator.infer(&inputs).expect("the case is valid");
    kinds.iter().chain(&outputs).map(wgrad::TensorType::bytes).sum()
}

fn bench(criterion: &mut Criterion<GpuTime>, case: &Case, variant: Option<&'static str>) {
    let Prepared { mut session, .. } = match variant {
        Some(variant) => harness::prepare(case, variant),
        None => harness::prepare_default(case),
    }
    .unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let kinds = case.kinds();
    let flops = case.operator.flops(&kinds.iter().collect::<Vec<_>>());
    // Memory limits a case with less than two operations per byte.
    let throughput =
        if flops > 2 * bytes(case) { Throughput::Elements(flops) } else { Throughput::Bytes(bytes(case)) };
    let mut group = criterion.benchmark_group(case.operator.name());
    group.throughput(throughput);
    let chosen = session.plan().steps().last().map_or("", |s| s.variant.name());
    group.bench_function(format!("{} [{chosen}]", case.name), |bencher| {
        bencher.iter_custom(|runs| {
            let start = Instant::now();
            for _ in 0..runs {
                session.step().expect("the step runs");
            }
            session.wait().expect("the device answers");
            start.elapsed()
        });
    });
    group.finish();
}

fn main() {
    println!("adapter: {}", harness::device().summary());
    let mut criterion = Criterion::default()
        .with_measurement(GpuTime { elements: Elements::Flops })
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .configure_from_args();
    let every_variant = std::env::var("WGRAD_BENCH_VARIANTS").is_ok_and(|v| v == "all");
    for case in cases::large() {
        if every_variant {
            for variant in case.variants() {
                bench(&mut criterion, &case, Some(variant.name()));
            }
        } else {
            bench(&mut criterion, &case, None);
        }
    }
    criterion.final_summary();
}
