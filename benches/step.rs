//! The whole step of the seed network in images per second: training with SGD, and inference. Batches
//! are uploaded and the GPU is waited for inside the timed window.

#[path = "../tests/harness/mod.rs"]
mod harness;
mod measurement;

use criterion::{Criterion, Throughput};
use harness::{device, labels, numbers};
use measurement::{Elements, GpuTime};
use std::time::{Duration, Instant};
use wgrad::nn::{self, Layer};
use wgrad::{Error, Graph, HostTensor, Mode, Plan, Session, Value, Weights, optim};

fn network() -> nn::Sequential {
    nn::Sequential::new()
        .add("conv1", nn::Conv2d::new(1, 8, [3, 3]).padding([1, 1]))
        .add("bn1", nn::BatchNorm::new(8))
        .add("relu1", nn::Relu)
        .add("pool1", nn::MaxPool2d::new([2, 2]))
        .add("conv2", nn::Conv2d::new(8, 32, [5, 5]).padding([2, 2]))
        .add("bn2", nn::BatchNorm::new(32))
        .add("relu2", nn::Relu)
        .add("pool2", nn::MaxPool2d::new([2, 2]))
        .add("flatten", nn::Flatten)
        .add("fc1", nn::Linear::new(1568, 600))
        .add("relu3", nn::Relu)
        .add("fc2", nn::Linear::new(600, 10))
}

struct Step {
    session: Session,
    inputs: Vec<(Value, HostTensor)>,
}

fn build(batch: usize, mode: Mode) -> Result<Step, Error> {
    let mut g = Graph::new();
    let images = g.input("images", [batch, 1, 28, 28])?;
    let logits = network().forward(&mut g, images, mode)?;
    let mut inputs = vec![(images, numbers([batch, 1, 28, 28], 1))];
    let mut output = logits;
    if mode == Mode::Train {
        let targets = g.labels("labels", batch)?;
        output = g.cross_entropy(logits, targets)?;
        let rate = g.scalar("learning_rate")?;
        optim::Sgd::new(rate).momentum(0.9).minimize(&mut g, output)?;
        inputs.push((targets, labels(batch, 10, 2)));
        inputs.push((rate, HostTensor::filled([0; 0], 0.01)));
    }
    let weights = Weights::init(device(), &g, 0)?;
    let session = Session::new(device(), Plan::new(&g, &[output], device().caps())?, &weights)?;
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
