//! Layers that are applied more than once.

use super::{assert_losses, assert_weights, fixture, part, weights_of};
use crate::harness::device;
use crate::harness::fixture::assert_close;
use std::sync::Arc;
use wgrad::graph::{Init, LayerId};
use wgrad::nn::{self, Layer};
use wgrad::op::Array;
use wgrad::optim::Sgd;
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session, Value, Weights};

fn embedder() -> nn::Sequential {
    nn::Sequential::new()
        .add("conv", nn::Conv2d::new(1, 4, [3, 3]).padding([1, 1]).bias(false))
        .add("bn", nn::BatchNorm::new(4))
        .add("relu", nn::Relu)
        .add("pool", nn::MaxPool2d::new([2, 2]))
        .add("flatten", nn::Flatten)
        .add("bn2", nn::BatchNorm::new(36).cumulative_average())
        .add("tanh", nn::Tanh)
        .add("fc", nn::Linear::new(36, 5).bias(false))
}

#[test]
fn a_triplet_network_agrees_with_pytorch() -> Result<()> {
    let [after, before] = fixture("triplet");
    let net = embedder();
    let mut g = Graph::new();
    let inputs = ["anchor", "positive", "negative"].map(|name| g.input(name, [4, 1, 6, 6]));
    let inputs: Vec<Value> = inputs.into_iter().collect::<Result<_>>()?;
    let mut embedded = Vec::new();
    for &x in &inputs {
        embedded.push(net.forward(&mut g, x, Mode::Train)?);
    }
    let loss = g.triplet_margin_loss(embedded[0], embedded[1], embedded[2])?;
    assert_eq!(g.parameters().len(), 6, "the three applications have one set of parameters");
    assert_eq!(g.summary(loss)?.parameters(), 36 + 4 + 4 + 36 + 36 + 36 * 5);
    assert_eq!(g.summary(loss)?.state, 4 + 4 + 36 + 36 + 1);
    let rate = g.input_scalar("rate")?;
    Sgd::new(rate).momentum(0.9).minimize(&mut g, loss)?;
    // The same network in evaluation reads what the steps leave behind.
    let mut evaluation = Graph::new();
    let x = evaluation.input("x", [4, 1, 6, 6])?;
    let output = net.forward(&mut evaluation, x, Mode::Eval)?;

    let weights = weights_of(&g, &before)?;
    let mut session = Session::new(device(), Plan::new(&g, &[loss], device().caps())?, &weights)?;
    session.record(loss, 2)?;
    session.write_scalar(rate, 0.1)?;
    let all = before.array("inputs");
    let of_step = Array::new(vec![6, 4, 1, 6, 6], all.data.clone());
    for step in 0..2 {
        for (i, &x) in inputs.iter().enumerate() {
            session.write(x, &part(&of_step, 3 * step + i))?;
        }
        // Node by node against the reference: state has its old value there as an input, and its new one as an output.
        session.verify()?;
    }
    assert_losses(&mut session, &after, &[loss])?;
    // Weight and bias, running mean and variance of both norms, convolution, linear, and the count of the second norm.
    assert_weights(&weights, &after, 1 + 4 + 1 + 5)?;
    let plan = Plan::new(&evaluation, &[output], device().caps())?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(x, &part(&of_step, 0))?;
    session.step()?;
    assert_close(&after, "output", &session.read(output)?, 2e-5);
    Ok(())
}

/// A layer of a user's own.
#[derive(Clone, Debug)]
struct Scale {
    names: [&'static str; 2],
    id: LayerId,
}

impl Scale {
    fn new() -> Self {
        Scale { names: ["factor", "again"], id: LayerId::new() }
    }
}

impl Layer for Scale {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        g.layer(&self.id, |g| {
            let factor = g.parameter(self.names[0], [3], Init::Constant(2.0))?;
            let again = g.parameter(self.names[1], [3], Init::Constant(3.0))?;
            let y = g.mul(x, factor)?;
            g.mul(y, again)
        })
    }
}

fn input() -> Result<(Graph, Value)> {
    let mut g = Graph::new();
    let x = g.input("x", [2, 3])?;
    Ok((g, x))
}

const REFUSAL: &str = "takes a name that";

#[test]
fn two_layers_of_one_name_are_refused_however_alike() -> Result<()> {
    let (mut g, x) = input()?;
    let linear = nn::Linear::new(3, 3);
    let net = nn::Sequential::new().add("fc", linear.clone()).add("fc", linear.clone());
    assert_eq!(linear, linear.clone(), "layers compare by their settings");
    let error = net.forward(&mut g, x, Mode::Train).expect_err("a clone is another layer").to_string();
    assert_eq!(
        error,
        "graph: parameter \"fc.weight\" f32[3, 3] takes a name that \"fc.weight\" f32[3, 3] has already; give each its own name or scope"
    );
    let (mut g, x) = input()?;
    let build = || nn::Sequential::new().add("fc", nn::Linear::new(3, 3)).add("bn", nn::BatchNorm::new(3));
    let (one, two) = (build(), build());
    one.forward(&mut g, x, Mode::Train)?;
    let error = two.forward(&mut g, x, Mode::Train).expect_err("another network").to_string();
    assert!(error.contains(REFUSAL), "{error}");
    // The first one still shares, and in another scope the second has parameters of its own.
    one.forward(&mut g, x, Mode::Train)?;
    g.scoped("two", |g| two.forward(g, x, Mode::Train))?;
    assert_eq!(g.parameters().len(), 8);
    // What no layer declared is nobody's to share.
    g.parameter("free", [3], Init::Constant(0.0))?;
    let error = g.parameter("free", [3], Init::Constant(0.0)).expect_err("no layer").to_string();
    assert!(error.contains(REFUSAL), "{error}");
    let error = g.layer(&LayerId::new(), |g| g.parameter("free", [3], Init::Constant(0.0)));
    assert!(error.expect_err("it was there before the layer").to_string().contains(REFUSAL));
    Ok(())
}

#[test]
fn a_layer_of_ones_own_shares_and_says_what_changed() -> Result<()> {
    let (mut g, x) = input()?;
    let scale = Scale::new();
    let once = scale.forward(&mut g, x, Mode::Train)?;
    let twice = scale.forward(&mut g, once, Mode::Train)?;
    assert_eq!(g.parameters_of(twice)?.len(), 2);
    assert!(
        scale.clone().forward(&mut g, x, Mode::Train).expect_err("a clone").to_string().contains(REFUSAL)
    );
    let same = Scale { names: ["same"; 2], id: LayerId::new() };
    let error = same.forward(&mut g, x, Mode::Train).expect_err("two tensors in one application").to_string();
    assert!(error.contains(REFUSAL), "{error}");
    let id = LayerId::new();
    g.layer(&id, |g| g.parameter("p", [3], Init::Constant(0.0)))?;
    let others: [fn(&mut Graph) -> Result<Value>; 3] = [
        |g| g.parameter("p", [4], Init::Constant(0.0)),
        |g| g.parameter("p", [3], Init::Constant(1.0)),
        |g| g.state("p", [3], Init::Constant(0.0), true),
    ];
    for other in others {
        let error = g.layer(&id, other).expect_err("it was declared otherwise").to_string();
        assert!(error.contains("\"p\"") && error.contains("but declared it as"), "{error}");
    }
    Ok(())
}

#[test]
fn containers_share_one_layer_by_arc() -> Result<()> {
    let body = Arc::new(nn::Sequential::new().push(nn::Linear::new(3, 4)).push(nn::BatchNorm::new(4)));
    let layer: Arc<dyn Layer> = body.clone();
    let head = |outputs| {
        nn::Sequential::new().add("body", Arc::clone(&body)).add("head", nn::Linear::new(4, outputs))
    };
    let (one, two) = (head(1), head(2));
    let (mut g, x) = input()?;
    one.forward(&mut g, x, Mode::Train)?;
    let error = two.forward(&mut g, x, Mode::Train).expect_err("the heads differ").to_string();
    assert!(error.contains("\"head.weight\""), "{error}");
    g.scoped("body", |g| layer.forward(g, x, Mode::Train))?;
    assert_eq!(g.parameters().len(), 4 + 2);
    assert_eq!(format!("{one:?}"), format!("{:?}", head(1)));
    Ok(())
}

#[test]
fn dropout_draws_anew_in_each_application() -> Result<()> {
    let net = nn::Sequential::new().add("drop", nn::Dropout::new(0.5));
    let mut g = Graph::new();
    let x = g.constant(HostTensor::filled([256], 1.0)?)?;
    let (a, b) = (net.forward(&mut g, x, Mode::Train)?, net.forward(&mut g, x, Mode::Train)?);
    let plan = Plan::new(&g, &[a, b], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &g, 0)?)?;
    session.step()?;
    let (a, b) = (session.read(a)?.to_f64(), session.read(b)?.to_f64());
    let equal = a.iter().zip(&b).filter(|(a, b)| a == b).count();
    assert!((90..=166).contains(&equal), "two draws of 256 agree in {equal}");
    Ok(())
}

/// A copy of a graph shares with what the layer declared in the original, and goes on by itself.
#[test]
fn clones_of_a_graph_know_its_layers() -> Result<()> {
    let net = nn::Sequential::new().add("bn", nn::BatchNorm::new(3));
    let (mut g, x) = input()?;
    net.forward(&mut g, x, Mode::Train)?;
    let mut copy = g.clone();
    for graph in [&mut g, &mut copy] {
        net.forward(graph, x, Mode::Train)?;
        net.forward(graph, x, Mode::Eval)?;
        assert_eq!(graph.parameters().len(), 2);
    }
    Ok(())
}
