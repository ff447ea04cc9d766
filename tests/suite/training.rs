//! Twenty steps of the MNIST network from PyTorch's initial weights, against PyTorch's losses, weights
//! and evaluation logits in f64: data, layers, backward pass, optimizer and running statistics at once.

use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::network::network;
use crate::harness::{device, root};
use wgrad::data::{Dataset, Split};
use wgrad::nn::Layer;
use wgrad::{Graph, HostTensor, Mode, Plan, Session, Weights, optim};

const BATCH: usize = 32;
const STEPS: usize = 20;
const EVALUATED: usize = 64;

fn mnist(split: Split) -> Dataset {
    let directory = root().join("examples/data/mnist");
    Dataset::load(directory, split).expect("the data set comes with the source")
}

#[test]
fn twenty_steps_agree_with_pytorch() {
    let cases = Fixture::all("training_sgd");
    let case = |name: &str| cases.iter().find(|c| c.name == name).expect("the fixture has this case");
    let (initial, expected) = (case("initial"), case("training"));

    let mut g = Graph::new();
    let images = g.input("images", [BATCH, 1, 28, 28]).unwrap();
    let labels = g.input_i32("labels", BATCH).unwrap();
    let logits = network().forward(&mut g, images, Mode::Train).unwrap();
    let loss = g.cross_entropy(logits, labels).unwrap();
    let rate = g.input_scalar("learning_rate").unwrap();
    optim::Sgd::new(rate).momentum(0.9).minimize(&mut g, loss).unwrap();
    let weights = Weights::init(device(), &g, 0).unwrap();
    // Every tensor of PyTorch's state_dict has its place under the same name.
    for name in initial.tensors.keys() {
        let tensor = initial.f32(name);
        assert_eq!(weights.read(name).unwrap().shape, tensor.shape, "{name}");
        weights.write(name, tensor.as_f32().unwrap()).unwrap();
    }
    let plan = Plan::new(&g, &[loss], device().caps()).unwrap();
    let mut session = Session::new(device(), plan, &weights).unwrap();
    session.record(loss, STEPS).unwrap();
    session.write_scalar(rate, 0.05).unwrap();
    let train = mnist(Split::Train);
    let mut batches = train.in_order().batches(BATCH).unwrap();
    for _ in 0..STEPS {
        let batch = batches.next_batch().unwrap();
        session.write(images, batch.images).unwrap();
        session.write(labels, batch.labels).unwrap();
        session.step().unwrap();
    }
    let losses = session.recorded(loss).unwrap().to_f64();
    for (step, (found, expected)) in losses.iter().zip(&expected.array("losses").data).enumerate() {
        let error = (found - expected).abs() / expected.abs();
        assert!(error <= 1e-5, "step {step}: loss {found}, PyTorch {expected}, off by {error:.1e}");
    }
    for (tensor, name) in [
        ("bn2_running_mean", "bn2.running_mean"),
        ("bn2_running_var", "bn2.running_var"),
        ("conv1_weight", "conv1.weight"),
        ("fc2_bias", "fc2.bias"),
    ] {
        assert_close(expected, tensor, &weights.read(name).unwrap(), 2e-5);
    }
    assert_close(expected, "eval_logits", &evaluate(&weights), 2e-5);
}

/// Logits of the first test images, by a session that shares the weights.
fn evaluate(weights: &Weights) -> HostTensor {
    let mut g = Graph::new();
    let images = g.input("images", [EVALUATED, 1, 28, 28]).unwrap();
    let logits = network().forward(&mut g, images, Mode::Eval).unwrap();
    let plan = Plan::new(&g, &[logits], device().caps()).unwrap();
    let mut session = Session::new(device(), plan, weights).unwrap();
    let test = mnist(Split::Test);
    let mut batches = test.in_order().padded_batches(EVALUATED).unwrap();
    session.write(images, batches.next_batch().unwrap().images).unwrap();
    session.step().unwrap();
    session.read(logits).unwrap()
}
