//! Steps that are planned for other kinds of adapters. A kernel for one kind runs on any that has its limits, so those that
//! this adapter would not choose agree with the reference here too.

use crate::harness::{device, labels, numbers};
use wgrad::nn::{self, Layer};
use wgrad::op::AdapterKind;
use wgrad::{Caps, Graph, Mode, Plan, Result, Session, Weights, optim};

/// Sizes that no tile divides: 5 images, 19 and 37 channels, 41 units.
fn agrees(kind: AdapterKind) -> Result<()> {
    let net = nn::Sequential::new()
        .add("conv1", nn::Conv2d::new(3, 19, [3, 3]).padding([1, 1]))
        .add("relu1", nn::Relu)
        .add("conv2", nn::Conv2d::new(19, 37, [5, 5]).stride([2, 2]))
        .add("relu2", nn::Relu)
        .add("conv3", nn::Conv2d::new(37, 8, [1, 1]))
        .add("flatten", nn::Flatten)
        .add("fc1", nn::Linear::new(8 * 4 * 4, 41))
        .add("relu3", nn::Relu)
        .add("fc2", nn::Linear::new(41, 7));
    let mut g = Graph::new();
    let (x, y) = (g.input("x", [5, 3, 11, 12])?, g.input_i32("y", [5])?);
    let logits = net.forward(&mut g, x, Mode::Train)?;
    let loss = g.cross_entropy(logits, y)?;
    let rate = g.input_scalar("rate")?;
    optim::Sgd::new(rate).minimize(&mut g, loss)?;
    let weights = Weights::init(device(), &g, 3)?;
    let caps = Caps { kind, ..device().caps().clone() };
    let mut session = Session::new(device(), Plan::new(&g, &[loss], &caps)?, &weights)?;
    session.write(x, &numbers([5, 3, 11, 12], 1))?;
    session.write(y, &labels(5, 7, 2))?;
    session.write_scalar(rate, 0.1)?;
    session.verify().map(drop)
}

#[test]
fn steps_planned_for_any_kind_agree_with_the_reference() -> Result<()> {
    use AdapterKind::{Apple, Discrete, Integrated, Software, SwiftShader};
    [Discrete, Integrated, Apple, Software, SwiftShader].into_iter().try_for_each(agrees)
}
