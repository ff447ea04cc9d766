//! The whole step of the seed network in images per second: training with SGD, and inference. The timed
//! window includes uploading batches and waiting for the GPU.

#[path = "../tests/harness/mod.rs"]
mod harness;
mod measurement;

use criterion::{Criterion, Throughput};
use harness::network::{Training, network, training};
use harness::{device, labels, numbers};
use measurement::{Elements, GpuTime};
use std::time::{Duration, Instant};
use wgrad::nn::Layer;
use wgrad::{Error, Graph, HostTensor, Mode, Plan, Session, Value, Weights};

struct Step {
    session: Session,
    inputs: Vec<(Value, HostTensor)>,
}

fn build(batch: usize, mode: Mode) -> Result<Step, Error> {
    let pixels = numbers([batch, 1, 28, 28], 1);
    let (graph, output, inputs) = if mode == Mode::Train {
        let Training { graph, images, labels: targets, rate, loss } = training(batch)?;
        let rates = HostTensor::filled([0; 0], 0.01)?;
        (graph, loss, vec![(images, pixels), (targets, labels(batch, 10, 2)), (rate, rates)])
    } else {
        let mut graph = Graph::new();
        let images = graph.input("images", [batch, 1, 28, 28])?;
        let logits = network().forward(&mut graph, images, mode)?;
        (graph, logits, vec![(images, pixels)])
    };
    let weights = Weights::init(device(), &graph, 0)?;
    let session = Session::new(device(), Plan::new(&graph, &[output], device().caps())?, &weights)?;
    Ok(Step { session, inputs })
}

fn main() {
    println!("adapter: {}", device().summary());
    let mut criterion = Criterion::default()
        .with_measurement(GpuTime { elements: Elements::Images })
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    for (name, mode) in [("training", Mode::Train), ("inference", Mode::Eval)] {
        for batch in [64, 256] {
            let Step { mut session, inputs } = build(batch, mode).unwrap_or_else(|e| panic!("{name}: {e}"));
            let mut group = criterion.benchmark_group("step");
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(format!("{name}, batch {batch}"), |bencher| {
                bencher.iter_custom(|runs| {
                    let start = Instant::now();
                    for _ in 0..runs {
                        for (value, data) in &inputs {
                            session.write(*value, data).expect("the inputs fit");
                        }
                        session.step().expect("the step runs");
                    }
                    session.wait().expect("the device answers");
                    start.elapsed()
                });
            });
            group.finish();
        }
    }
    criterion.final_summary();
}
