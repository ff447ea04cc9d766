//! Fine-tuning: files of other networks, networks that are edited and frozen in part, metadata; and PyTorch's steps of
//! frozen networks.

mod edits;
mod files;
mod frozen;
mod metadata;
mod pytorch;
mod pytorch_files;

use crate::harness::device;
use std::collections::BTreeMap;
use wgrad::nn::{self, Layer};
use wgrad::{Graph, Mode, Result, Value, Weights};

/// A trunk with everything that may move in training, and a head.
fn network(classes: usize) -> nn::Sequential {
    let block = nn::Sequential::new()
        .push(nn::Conv2d::new(4, 4, [3, 3]).padding([1, 1]).bias(false))
        .push(nn::BatchNorm::new(4));
    nn::Sequential::new()
        .add("conv", nn::Conv2d::new(1, 4, [3, 3]).padding([1, 1]))
        .add("bn", nn::BatchNorm::new(4))
        .add("relu", nn::Relu)
        .add("block", nn::Sequential::new().inline(nn::Parallel::sum().inline(block).identity()))
        .add("dropout", nn::Dropout::new(0.5))
        .add("pool", nn::GlobalAvgPool2d)
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(4, classes))
}

/// The network in a graph, with images of 6 x 6.
fn forward(net: &nn::Sequential, mode: Mode) -> Result<(Graph, Value, Value)> {
    let mut g = Graph::new();
    let x = g.input("x", [4, 1, 6, 6])?;
    let logits = net.forward(&mut g, x, mode)?;
    Ok((g, x, logits))
}

fn weights_of(net: &nn::Sequential, seed: u64) -> Result<Weights> {
    Weights::init(device(), &forward(net, Mode::Eval)?.0, seed)
}

/// The bits of everything that weights hold.
fn contents(weights: &Weights) -> BTreeMap<String, Vec<u32>> {
    let bits = |name: &str| {
        let tensor = weights.read(name).expect("the weights hold it");
        tensor.as_f32().expect("it is f32").iter().map(|x| x.to_bits()).collect()
    };
    weights.names().map(|name| (name.to_owned(), bits(name))).collect()
}

fn says(error: &wgrad::Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "expected \"{part}\" in: {text}");
    }
}
