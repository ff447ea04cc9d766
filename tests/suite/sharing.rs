//! Layers that are applied more than once, and several optimizers over one network, against PyTorch's steps
//! (`fixtures/shared_layers.py`); and what may not be shared.

use crate::harness::device;
use crate::harness::fixture::{Fixture, assert_close};
use std::sync::Arc;
use wgrad::graph::{Init, LayerId};
use wgrad::nn::{self, Layer};
use wgrad::op::Array;
use wgrad::ops::optimizer::Rule;
use wgrad::optim::{Adam, AdamW, Optimizer, Sgd};
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session, Value, Weights};

/// A case of the fixture, before its steps and after them.
fn fixture(case: &str) -> [Fixture; 2] {
    let mut found = Fixture::all("shared_layers");
    ["after", "before"].map(|when| {
        let name = format!("{case}.{when}");
        let i = found.iter().position(|f| f.name == name).expect("the fixture has this case");
        found.swap_remove(i)
    })
}

/// One of the steps' inputs: element `index` of a tensor's first dimension.
fn part(array: &Array, index: usize) -> Vec<f32> {
    let elements = array.shape[1..].iter().product::<usize>();
    array.data[index * elements..][..elements].iter().map(|&x| x as f32).collect()
}

/// The graph's weights with the fixture's contents, whose names they must have.
fn weights_of(g: &Graph, before: &Fixture) -> Result<Weights> {
    let weights = Weights::init(device(), g, 0)?;
    set(&weights, before)?;
    Ok(weights)
}

fn set(weights: &Weights, before: &Fixture) -> Result<()> {
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    for name in before.tensors.keys().filter(|name| names.contains(name)) {
        weights.write(name, before.f32(name).as_f32().expect("parameters are floats"))?;
    }
    Ok(())
}

/// Every tensor of the state dict that the weights hold.
fn assert_weights(weights: &Weights, after: &Fixture, expected: usize) -> Result<()> {
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    let names: Vec<&String> = after.tensors.keys().filter(|name| names.contains(name)).collect();
    assert_eq!(names.len(), expected, "{names:?}");
    for name in names {
        assert_close(after, name, &weights.read(name)?, 2e-5);
    }
    Ok(())
}

fn assert_losses(session: &mut Session, after: &Fixture, losses: &[Value]) -> Result<()> {
    let expected = after.array("losses");
    for (i, &loss) in losses.iter().enumerate() {
        for (step, found) in session.recorded(loss)?.to_f64().into_iter().enumerate() {
            let expected = expected.data[step * losses.len() + i];
            let error = (found - expected).abs() / expected.abs();
            assert!(error <= 1e-5, "step {step}: loss {i} is {found}, PyTorch {expected}");
        }
    }
    Ok(())
}

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
    let loss =
        g.triplet_margin_loss(embedded[0], embedded[1], embedded[2], Default::default(), Default::default())?;
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

fn generator() -> nn::Sequential {
    nn::Sequential::new()
        .push(nn::Linear::new(3, 6).bias(false))
        .push(nn::BatchNorm::new(6))
        .push(nn::Tanh)
        .push(nn::Linear::new(6, 4).bias(false))
}

fn discriminator() -> nn::Sequential {
    nn::Sequential::new()
        .push(nn::Linear::new(4, 6).bias(false))
        .push(nn::BatchNorm::new(6))
        .push(nn::LeakyRelu::new().negative_slope(0.2))
        .push(nn::Linear::new(6, 1))
}

/// Both networks of a GAN, and what they take.
struct Adversaries {
    generator: nn::Sequential,
    discriminator: nn::Sequential,
}

impl Adversaries {
    fn new() -> Self {
        Adversaries { generator: generator(), discriminator: discriminator() }
    }

    fn generate(&self, g: &mut Graph) -> Result<Value> {
        let noise = g.input("noise", [8, 3])?;
        g.scoped("generator", |g| self.generator.forward(g, noise, Mode::Train))
    }

    /// The loss of the discriminator's answers, were they all to be `target`.
    fn judge(&self, g: &mut Graph, x: Value, target: f32) -> Result<Value> {
        let logits = g.scoped("discriminator", |g| self.discriminator.forward(g, x, Mode::Train))?;
        let targets = g.constant(HostTensor::filled([8, 1], target)?)?;
        g.bce_with_logits_loss(logits, targets, None, Default::default())
    }

    /// What the discriminator is trained by.
    fn discriminate(&self, g: &mut Graph, fake: Value) -> Result<Value> {
        let real = g.input("real", [8, 4])?;
        let losses = [self.judge(g, real, 1.0)?, self.judge(g, fake, 0.0)?];
        g.add(losses[0], losses[1])
    }
}

fn of_discriminator(g: &mut Graph) -> Result<Optimizer<impl Rule>> {
    let rate = g.input_scalar("rate of the discriminator")?;
    Ok(Sgd::new(rate).momentum(0.5).only(|name| name.starts_with("discriminator.")))
}

fn of_generator(g: &mut Graph) -> Result<Optimizer<impl Rule>> {
    let rate = g.input_scalar("rate of the generator")?;
    Ok(Adam::new(rate).betas(0.5, 0.999).only(|name| name.starts_with("generator.")))
}

/// Writes what a session's graph takes for a step.
fn write(session: &mut Session, before: &Fixture, step: usize) -> Result<()> {
    let graph = session.plan().graph().clone();
    for name in ["real", "noise"] {
        if let Some(input) = graph.find(name) {
            session.write(input, &part(before.array(name), step))?;
        }
    }
    for (name, rate) in [("rate of the discriminator", 0.1), ("rate of the generator", 0.01)] {
        if let Some(input) = graph.find(name) {
            session.write_scalar(input, rate)?;
        }
    }
    Ok(())
}

/// Runs the three steps of a GAN whose two losses and updates are one graph.
fn assert_adversarial(case: &str, g: &Graph, losses: [Value; 2]) -> Result<()> {
    let [after, before] = fixture(case);
    let weights = weights_of(g, &before)?;
    let plan = Plan::new(g, &losses, device().caps())?;
    let mut session = Session::new(device(), plan, &weights)?;
    for loss in losses {
        session.record(loss, 3)?;
    }
    for step in 0..3 {
        write(&mut session, &before, step)?;
        session.step()?;
    }
    assert_losses(&mut session, &after, &losses)?;
    assert_weights(&weights, &after, 6 + 7)?;
    session.verify()?;
    Ok(())
}

#[test]
fn two_optimizers_in_turn_agree_with_pytorch() -> Result<()> {
    let nets = Adversaries::new();
    let mut g = Graph::new();
    let fake = nets.generate(&mut g)?;
    let first = nets.discriminate(&mut g, fake)?;
    of_discriminator(&mut g)?.minimize(&mut g, first)?;
    // The discriminator as it is after its update.
    let second = nets.judge(&mut g, fake, 1.0)?;
    assert_eq!(g.parameters_of(second)?.len(), 4 + 5, "those that were updated are among them");
    of_generator(&mut g)?.minimize(&mut g, second)?;
    assert_adversarial("in_turn", &g, [first, second])
}

#[test]
fn two_optimizers_at_once_agree_with_pytorch() -> Result<()> {
    let nets = Adversaries::new();
    let mut g = Graph::new();
    let fake = nets.generate(&mut g)?;
    let first = nets.discriminate(&mut g, fake)?;
    let second = nets.judge(&mut g, fake, 1.0)?;
    let (of_first, of_second) = (g.backward(first)?, g.backward(second)?);
    of_discriminator(&mut g)?.apply(&mut g, &of_first)?;
    of_generator(&mut g)?.apply(&mut g, &of_second)?;
    assert_adversarial("at_once", &g, [first, second])
}

#[test]
fn a_body_and_a_head_with_rules_of_their_own_agree_with_pytorch() -> Result<()> {
    let [after, before] = fixture("body_and_head");
    let net = nn::Sequential::new()
        .add("body", nn::Linear::new(5, 6))
        .add("tanh", nn::Tanh)
        .add("head", nn::Linear::new(6, 3));
    let mut g = Graph::new();
    let (x, labels) = (g.input("x", [8, 5])?, g.input_i32("labels", 8)?);
    let logits = net.forward(&mut g, x, Mode::Train)?;
    let loss = g.cross_entropy(logits, labels)?;
    let rates = [g.input_scalar("slow")?, g.input_scalar("fast")?];
    let gradients = g.backward(loss)?;
    Sgd::new(rates[0]).momentum(0.9).only(|name| name.starts_with("body.")).apply(&mut g, &gradients)?;
    AdamW::new(rates[1]).only(|name| name.starts_with("head.")).apply(&mut g, &gradients)?;
    // The updated network once more, in the same step.
    let updated = net.forward(&mut g, x, Mode::Eval)?;

    let weights = weights_of(&g, &before)?;
    let plan = Plan::new(&g, &[loss, updated], device().caps())?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.record(loss, 3)?;
    session.write_scalar(rates[0], 0.01)?;
    session.write_scalar(rates[1], 0.05)?;
    for step in 0..3 {
        let target: Vec<i32> = part(before.array("labels"), step).iter().map(|&x| x as i32).collect();
        session.write(labels, &target)?;
        session.write(x, &part(before.array("inputs"), step))?;
        session.step()?;
    }
    assert_losses(&mut session, &after, &[loss])?;
    assert_weights(&weights, &after, 4)?;
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

#[test]
fn each_parameter_has_one_optimizer() -> Result<()> {
    let (mut g, x) = input()?;
    let net = nn::Sequential::new().add("a", nn::Linear::new(3, 3)).add("b", nn::Linear::new(3, 1));
    let y = net.forward(&mut g, x, Mode::Train)?;
    let (loss, rate) = (g.mean(y, &[], false)?, g.input_scalar("rate")?);
    let refused = |result: Result<()>, words: &str| {
        let error = result.expect_err("this can't be trained").to_string();
        assert!(error.contains(words), "expected {words} in: {error}");
    };
    let gradients = g.backward(loss)?;
    let only = |prefix: &'static str| Sgd::new(rate).only(move |name| name.starts_with(prefix));
    refused(only("c.").apply(&mut g, &gradients), "only: holds for none of the parameters");
    refused(
        only("a.").freeze(|name| name.starts_with("b.")).minimize(&mut g, loss),
        "freeze: holds for none",
    );
    refused(
        only("a.").group(|name| name == "b.bias", |g| g).apply(&mut g, &gradients),
        "group: holds for none",
    );
    refused(Sgd::new(rate).group(|_| true, |g| g.only(|_| true)).minimize(&mut g, loss), "group: has");
    only("a.").apply(&mut g, &gradients)?;
    refused(only("a.").apply(&mut g, &gradients), "\"a.weight\" was updated earlier in the graph");
    only("b.weight").only(|name| name == "b.bias").apply(&mut g, &gradients)?;
    // The gradient of "a" goes by "b", which an optimizer has changed.
    let (mut g, x) = input()?;
    let y = net.forward(&mut g, x, Mode::Train)?;
    let (loss, rate) = (g.mean(y, &[], false)?, g.input_scalar("rate")?);
    let only = |prefix: &'static str| Sgd::new(rate).only(move |name| name.starts_with(prefix));
    only("b.").minimize(&mut g, loss)?;
    refused(only("a.").minimize(&mut g, loss), "apply its layer again");
    Ok(())
}
