//! Frozen layers: what a step holds of them, what it leaves as it is, and the gradients that pass through.

use super::{contents, forward, network, says, weights_of};
use crate::harness::{device, labels, numbers};
use wgrad::nn::{self, Layer};
use wgrad::optim::{AdamW, Sgd};
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session, Value, Weights};

/// A step of training, and what it takes.
struct Step {
    g: Graph,
    x: Value,
    labels: Value,
    rate: Value,
    loss: Value,
}

fn step(net: &nn::Sequential) -> Result<Step> {
    step_with(net, |_| true)
}

fn step_with(net: &nn::Sequential, trained: fn(&str) -> bool) -> Result<Step> {
    let (mut g, x, logits) = forward(net, Mode::Train)?;
    let labels = g.input_i32("labels", 4)?;
    let loss = g.cross_entropy(logits, labels)?;
    let rate = g.input_scalar("rate")?;
    Sgd::new(rate).momentum(0.9).only(trained).minimize(&mut g, loss)?;
    Ok(Step { g, x, labels, rate, loss })
}

fn run(step: &Step, weights: &Weights, steps: u64) -> Result<HostTensor> {
    let plan = Plan::new(&step.g, &[step.loss], device().caps())?;
    let mut session = Session::new(device(), plan, weights)?;
    session.write_scalar(step.rate, 0.5)?;
    for number in 0..steps {
        session.write(step.x, &numbers([4, 1, 6, 6], number))?;
        session.write(step.labels, &labels(4, 3, number))?;
        session.step()?;
    }
    session.verify()?;
    session.read(step.loss)
}

#[test]
fn a_frozen_trunk_has_no_gradients_and_no_updates() -> Result<()> {
    let mut net = network(3);
    let everything = step(&net)?;
    net.freeze_before("fc")?;
    let frozen = step(&net)?;
    // The nodes of the trunk in evaluation, and those of training a head alone.
    let mut trunk = network(3);
    let head = trunk.split_off("fc")?;
    let trunk = forward(&trunk, Mode::Eval)?.0;
    let mut g = Graph::new();
    let x = g.input("x", [4, 4])?;
    let logits = head.forward(&mut g, x, Mode::Train)?;
    let labels = g.input_i32("labels", 4)?;
    let loss = g.cross_entropy(logits, labels)?;
    let rate = g.input_scalar("rate")?;
    Sgd::new(rate).momentum(0.9).minimize(&mut g, loss)?;
    assert_eq!(frozen.g.nodes().count(), trunk.nodes().count() + g.nodes().count());
    let dispatches = |g: &Graph, output: Value| -> Result<usize> {
        Ok(Plan::new(g, &[output], device().caps())?.graph().nodes().count())
    };
    assert!(dispatches(&frozen.g, frozen.loss)? < dispatches(&everything.g, everything.loss)? / 2);

    let weights = Weights::init(device(), &frozen.g, 1)?;
    let names: Vec<&str> = weights.names().filter(|name| name.ends_with("momentum_buffer")).collect();
    assert_eq!(names, ["fc.bias.momentum_buffer", "fc.weight.momentum_buffer"]);
    let before = contents(&weights);
    run(&frozen, &weights, 3)?;
    for (name, bits) in contents(&weights) {
        let moved = name.starts_with("fc.");
        assert_eq!(bits != before[&name], moved, "{name}");
    }
    // A state dict has the frozen parameters, and an evaluation finds them.
    let evaluation = forward(&network(3), Mode::Eval)?.0;
    assert!(
        evaluation
            .parameters()
            .iter()
            .all(|&p| weights.names().any(|name| name == evaluation.value(p).unwrap().name))
    );
    Ok(())
}

#[test]
fn gradients_pass_through_frozen_layers() -> Result<()> {
    let mut net = network(3);
    net.remove("dropout")?;
    for frozen in ["bn", "block"] {
        net.freeze(frozen)?;
    }
    // The same by the options of the layers and the optimizer.
    let block = nn::Sequential::new()
        .push(nn::Conv2d::new(4, 4, [3, 3]).padding([1, 1]).bias(false))
        .push(nn::BatchNorm::new(4).freeze_statistics());
    let mut by_hand = network(3);
    by_hand.remove("dropout")?;
    by_hand.replace("bn", nn::BatchNorm::new(4).freeze_statistics())?;
    by_hand.replace("block", nn::Parallel::sum().inline(block).identity())?;
    let [a, b] =
        [step(&net)?, step_with(&by_hand, |name| name.starts_with("conv.") || name.starts_with("fc."))?];
    let [of_a, of_b] = [Weights::init(device(), &a.g, 1)?, Weights::init(device(), &b.g, 1)?];
    let before = contents(&of_a);
    assert_eq!(run(&a, &of_a, 3)?, run(&b, &of_b, 3)?);
    let after = contents(&of_a);
    assert_eq!(after, contents(&of_b));
    assert_ne!(after["conv.weight"], before["conv.weight"]);
    assert_eq!(after["bn.running_mean"], before["bn.running_mean"]);
    Ok(())
}

#[test]
fn a_frozen_network_runs_as_in_evaluation() -> Result<()> {
    let weights = weights_of(&network(3), 3)?;
    weights.write("bn.running_var", &[0.5, 2.0, 1.5, 0.1])?;
    let mut found = Vec::new();
    for (freeze, mode) in
        [(false, Mode::Eval), (true, Mode::Train), (true, Mode::Population), (true, Mode::MonteCarlo)]
    {
        let mut net = network(3);
        if freeze {
            net.freeze_before("fc")?;
        }
        let (g, x, logits) = forward(&net, mode)?;
        let plan = Plan::new(&g, &[logits], device().caps())?;
        let mut session = Session::new(device(), plan, &weights)?;
        session.write(x, &numbers([4, 1, 6, 6], 9))?;
        session.step()?;
        found.push(session.read(logits)?);
    }
    assert!(found.iter().all(|logits| *logits == found[0]), "{found:?}");
    Ok(())
}

#[test]
fn layers_are_unfrozen_one_by_one() -> Result<()> {
    let mut net = network(3);
    net.freeze_before("fc")?;
    assert!(format!("{net:?}").contains("conv: frozen Conv2d"), "{net:?}");
    net.unfreeze("block")?;
    net.freeze("block.1")?;
    let frozen = |net: &nn::Sequential| -> Result<Vec<String>> {
        let g = forward(net, Mode::Train)?.0;
        let frozen = g.parameters().into_iter().filter(|&parameter| g.is_frozen(parameter));
        frozen.map(|parameter| Ok(g.value(parameter)?.name.clone())).collect()
    };
    assert_eq!(
        frozen(&net)?,
        ["conv.weight", "conv.bias", "bn.weight", "bn.bias", "block.1.weight", "block.1.bias"]
    );
    net.unfreeze("block")?;
    assert!(frozen(&net)?.contains(&"block.1.weight".to_owned()), "it was frozen by itself");
    net.freeze("block")?;
    says(&net.unfreeze("block.0").unwrap_err(), &["\"block.0\" lies within a frozen layer"]);
    // A layer that takes the place of a frozen one is new.
    net.replace("conv", nn::Conv2d::new(1, 4, [3, 3]).padding([1, 1]))?;
    assert!(!frozen(&net)?.contains(&"conv.weight".to_owned()));
    Ok(())
}

#[test]
fn graphs_of_ones_own_freeze_what_they_declare() -> Result<()> {
    let (body, head) = (nn::Linear::new(3, 3), nn::Linear::new(3, 3));
    let mut g = Graph::new();
    let x = g.input("x", [4, 3])?;
    let features = g.scoped("body", |g| g.frozen(|g| body.forward(g, x, Mode::Train)))?;
    let features = g.scoped("body", |g| body.forward(g, features, Mode::Train))?;
    let logits = g.scoped("head", |g| head.forward(g, features, Mode::Train))?;
    let loss = g.mean(logits, &[], false)?;
    let names = |g: &Graph, pairs: &[(Value, Value)]| -> Vec<String> {
        pairs.iter().map(|&(p, _)| g.value(p).expect("it is its own").name.clone()).collect()
    };
    let pairs = g.backward(loss)?;
    assert_eq!(names(&g, &pairs), ["head.weight", "head.bias"], "one frozen application freezes");
    let copy = g.clone();
    assert!(copy.is_frozen(copy.find("body.weight").expect("a clone has it")));
    let rate = g.input_scalar("rate")?;
    let error = AdamW::new(rate).only(|name| name.starts_with("body.")).minimize(&mut g, loss).unwrap_err();
    says(&error, &["only", "none of the parameters", "head.weight"]);
    let only = g.scoped("body", |g| body.forward(g, x, Mode::Train))?;
    let loss = g.mean(only, &[], false)?;
    let error = AdamW::new(rate).minimize(&mut g, loss).unwrap_err();
    says(&error, &["every parameter is frozen"]);
    Ok(())
}

/// A network whose batch norms keep their statistics.
#[derive(Debug)]
struct Kept(nn::Sequential);

impl Layer for Kept {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        g.frozen_statistics(|g| self.0.forward(g, x, mode))
    }
}

#[test]
fn all_statistics_stay_while_the_parameters_are_trained() -> Result<()> {
    // PyTorch's `bn.eval()` in a network that is trained, by the graph and by the layers' option.
    let mut net = network(3);
    net.remove("dropout")?;
    let block = nn::Sequential::new()
        .push(nn::Conv2d::new(4, 4, [3, 3]).padding([1, 1]).bias(false))
        .push(nn::BatchNorm::new(4).freeze_statistics());
    let mut by_hand = network(3);
    by_hand.remove("dropout")?;
    by_hand.replace("bn", nn::BatchNorm::new(4).freeze_statistics())?;
    by_hand.replace("block", nn::Parallel::sum().inline(block).identity())?;
    let kept = nn::Sequential::new().inline(Kept(net));
    let [a, b] = [step(&kept)?, step(&by_hand)?];
    let [of_a, of_b] = [Weights::init(device(), &a.g, 1)?, Weights::init(device(), &b.g, 1)?];
    let before = contents(&of_a);
    assert_eq!(run(&a, &of_a, 3)?, run(&b, &of_b, 3)?);
    let after = contents(&of_a);
    assert_eq!(after, contents(&of_b));
    for (name, bits) in before {
        assert_eq!(after[&name] == bits, name.contains(".running_"), "{name}");
    }
    Ok(())
}
