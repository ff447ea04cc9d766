//! Several optimizers in one graph.

use super::{assert_losses, assert_weights, fixture, part, weights_of};
use crate::harness::device;
use crate::harness::fixture::Fixture;
use wgrad::nn::{self, Layer};
use wgrad::ops::optimizer::Rule;
use wgrad::optim::{Adam, AdamW, Optimizer, Sgd};
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session, Value};

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
pub(super) struct Adversaries {
    generator: nn::Sequential,
    discriminator: nn::Sequential,
}

impl Adversaries {
    pub(super) fn new() -> Self {
        Adversaries { generator: generator(), discriminator: discriminator() }
    }

    pub(super) fn generate(&self, g: &mut Graph) -> Result<Value> {
        let noise = g.input("noise", [8, 3])?;
        g.scoped("generator", |g| self.generator.forward(g, noise, Mode::Train))
    }

    /// The loss of the discriminator's answers, were they all to be `target`.
    pub(super) fn judge(&self, g: &mut Graph, x: Value, target: f32) -> Result<Value> {
        let logits = g.scoped("discriminator", |g| self.discriminator.forward(g, x, Mode::Train))?;
        let targets = g.constant(HostTensor::filled([8, 1], target)?)?;
        g.bce_with_logits_loss(logits, targets)
    }

    /// What the discriminator is trained by.
    pub(super) fn discriminate(&self, g: &mut Graph, fake: Value) -> Result<Value> {
        let real = g.input("real", [8, 4])?;
        let losses = [self.judge(g, real, 1.0)?, self.judge(g, fake, 0.0)?];
        g.add(losses[0], losses[1])
    }
}

pub(super) fn of_discriminator(g: &mut Graph) -> Result<Optimizer<impl Rule + Clone>> {
    let rate = g.input_scalar("rate of the discriminator")?;
    Ok(Sgd::new(rate).momentum(0.5).only(|name| name.starts_with("discriminator.")))
}

pub(super) fn of_generator(g: &mut Graph) -> Result<Optimizer<impl Rule + Clone>> {
    let rate = g.input_scalar("rate of the generator")?;
    Ok(Adam::new(rate).betas(0.5, 0.999).only(|name| name.starts_with("generator.")))
}

/// Writes what a session's graph takes for a step.
pub(super) fn write(session: &mut Session, before: &Fixture, step: usize) -> Result<()> {
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

fn input() -> Result<(Graph, Value)> {
    let mut g = Graph::new();
    let x = g.input("x", [2, 3])?;
    Ok((g, x))
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
