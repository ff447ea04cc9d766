//! Muon and Lookahead against their formulas in f64 (`tests/fixtures/muon.py`), with other optimizers, and what they refuse.

use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::{device, labels, numbers};
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::optim::{Ema, Lookahead, Muon, RateAdjustment, Sgd};
use wgrad::{Graph, Mode, Plan, Result, Session, Value, Weights};

/// Parameters of these fixtures with gradients as inputs.
struct Steps {
    graph: Graph,
    pairs: Vec<(Value, Value)>,
    rate: Value,
}

fn steps(fixtures: &[&Fixture]) -> Result<Steps> {
    let mut graph = Graph::new();
    let mut pairs = Vec::new();
    for fixture in fixtures {
        let (name, before) = (last(&fixture.name), fixture.f32("before"));
        let parameter = graph.parameter(name, before.shape.clone(), Init::Constant(0.0))?;
        pairs.push((parameter, graph.input(&format!("{name}.given"), before.shape.clone())?));
    }
    let rate = graph.input_scalar("rate")?;
    Ok(Steps { graph, pairs, rate })
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().expect("it has parts")
}

/// A session whose parameters are those before the first step.
fn session(steps: &Steps, fixtures: &[&Fixture]) -> Result<(Weights, Session)> {
    let weights = Weights::init(device(), &steps.graph, 0)?;
    for fixture in fixtures {
        let before = fixture.f32("before");
        weights.write(last(&fixture.name), before.as_f32().expect("they are floats"))?;
        // What begins as a copy of it.
        let slow = format!("{}.slow", last(&fixture.name));
        if weights.names().any(|name| name == slow) {
            weights.write(&slow, before.as_f32().expect("they are floats"))?;
        }
    }
    let session = Session::new(device(), Plan::new(&steps.graph, &[], device().caps())?, &weights)?;
    Ok((weights, session))
}

/// Gives the gradients of a step.
fn write_gradients(session: &mut Session, steps: &Steps, fixtures: &[&Fixture], step: usize) -> Result<()> {
    for (fixture, &(_, gradient)) in fixtures.iter().zip(&steps.pairs) {
        let all = fixture.f32("gradients");
        let all = all.as_f32().expect("they are floats");
        let each = fixture.array("before").data.len();
        session.write(gradient, &all[step * each..(step + 1) * each])?;
    }
    Ok(())
}

#[test]
fn muon_steps_as_its_formulas_in_f64() -> Result<()> {
    let all = Fixture::all("muon");
    let mut seen = 0;
    for (case, rate) in [("default", 0.02), ("plain", 0.05), ("rms", 0.02), ("airbench", 0.24)] {
        let fixtures: Vec<&Fixture> =
            all.iter().filter(|f| f.name.starts_with(&format!("{case}/"))).collect();
        let mut steps = steps(&fixtures)?;
        let muon = Muon::new(steps.rate);
        let muon = match case {
            "plain" => muon.nesterov(false).weight_decay(0.0).momentum(0.8).ns_steps(3),
            "rms" => muon.adjust_rate(RateAdjustment::MatchRmsAdamw),
            "airbench" => {
                let muon = muon.momentum(0.6).weight_decay(0.0).ns_steps(3).normalize_weights(true);
                muon.adjust_rate(RateAdjustment::None)
            }
            _ => muon,
        };
        muon.apply(&mut steps.graph, &steps.pairs)?;
        let (weights, mut session) = session(&steps, &fixtures)?;
        session.write_scalar(steps.rate, rate)?;
        for step in 0..4 {
            write_gradients(&mut session, &steps, &fixtures, step)?;
            // The last one is compared node by node too.
            if step == 3 { session.verify().map(|_| ())? } else { session.step()? }
        }
        for fixture in fixtures {
            assert_close(fixture, "after", &weights.read(last(&fixture.name))?, 2e-5);
            seen += 1;
        }
    }
    assert_eq!(seen, 20);
    Ok(())
}

#[test]
fn lookahead_goes_back_to_its_slow_weights() -> Result<()> {
    let all = Fixture::all("muon");
    let fixtures: Vec<&Fixture> = all.iter().filter(|f| f.name.starts_with("lookahead/")).collect();
    let mut steps = steps(&fixtures)?;
    Sgd::new(steps.rate).momentum(0.9).nesterov(true).apply(&mut steps.graph, &steps.pairs)?;
    let alpha = steps.graph.input_scalar("alpha")?;
    Lookahead::new(alpha).every(3).apply(&mut steps.graph)?;
    let (weights, mut session) = session(&steps, &fixtures)?;
    session.write_scalar(steps.rate, 0.1)?;
    for step in 0..10 {
        write_gradients(&mut session, &steps, &fixtures, step)?;
        session.write_scalar(alpha, (step + 1) as f32 / 10.0)?;
        session.step()?;
    }
    for fixture in fixtures {
        assert_close(fixture, "after", &weights.read(last(&fixture.name))?, 1e-5);
        assert_close(fixture, "slow", &weights.read(&format!("{}.slow", last(&fixture.name)))?, 1e-5);
    }
    Ok(())
}

/// Convolutions by Muon, the rest by SGD, both behind one Lookahead: every node verifies, and the loss falls.
#[test]
fn muon_sgd_and_lookahead_share_a_network() -> Result<()> {
    let net = nn::Sequential::new()
        .add("conv1", nn::Conv2d::new(3, 5, [3, 3]).padding([1, 1]))
        .add("norm", nn::BatchNorm::new(5))
        .add("relu", nn::Relu)
        .add("conv2", nn::Conv2d::new(5, 7, [3, 3]))
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(7 * 16, 4));
    let mut g = Graph::new();
    let (x, y) = (g.input("x", [9, 3, 6, 6])?, g.input_i32("y", 9)?);
    let logits = net.forward(&mut g, x, Mode::Train)?;
    let loss = g.cross_entropy(logits, y)?;
    let [fast, slow, alpha] = ["fast", "slow", "alpha"].map(|name| g.input_scalar(name));
    let (fast, slow, alpha) = (fast?, slow?, alpha?);
    let filters = |name: &str| name.starts_with("conv") && name.ends_with("weight");
    let gradients = g.backward(loss)?;
    Muon::new(fast).only(filters).apply(&mut g, &gradients)?;
    Sgd::new(slow).momentum(0.85).only(move |name| !filters(name)).apply(&mut g, &gradients)?;
    Lookahead::new(alpha).every(2).apply(&mut g)?;
    let weights = Weights::init(device(), &g, 3)?;
    let plan = Plan::new(&g, &[loss], device().caps())?;
    let buckets = plan.buckets(1)?;
    let summed: u64 = buckets.iter().map(|bucket| bucket.bytes()).sum();
    let gradients: u64 = gradients
        .iter()
        .map(|&(p, _)| g.shape(p).map_or(0, |s| 4 * s.elements().next_multiple_of(128) as u64))
        .sum();
    assert_eq!(summed, gradients, "ranks sum gradients alone");
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(x, &numbers([9, 3, 6, 6], 1))?;
    session.write(y, &labels(9, 4, 2))?;
    for (scalar, number) in [(fast, 0.05), (slow, 0.05), (alpha, 0.8)] {
        session.write_scalar(scalar, number)?;
    }
    session.verify()?;
    let first = session.read(loss)?.to_f64()[0];
    for _ in 0..20 {
        session.step()?;
    }
    session.verify()?;
    let last = session.read(loss)?.to_f64()[0];
    assert!(last < 0.3 * first, "the loss fell from {first} to {last} only");
    Ok(())
}

/// What is loaded or written into a parameter before training is where its slow weights begin, and its average.
#[test]
fn copies_begin_as_what_was_loaded() -> Result<()> {
    let mut g = Graph::new();
    let weight = g.parameter("w", [3], Init::Constant(1.0))?;
    g.parameter("twin", [3], Init::Copy("w".into()))?;
    let given = g.input("given", [3])?;
    let rate = g.input_scalar("rate")?;
    Sgd::new(rate).average(Ema::new(0.9)).apply(&mut g, &[(weight, given)])?;
    Lookahead::new(rate).apply(&mut g)?;
    let weights = Weights::init(device(), &g, 0)?;
    let read = |name: &str| weights.read(name).map(|tensor| tensor.to_f64());
    weights.write("w", &[2.0, 3.0, 4.0])?;
    for name in ["w", "w.slow", "w.average"] {
        assert_eq!(read(name)?, [2.0, 3.0, 4.0], "{name}");
    }
    // A parameter that started as a copy goes its own way.
    assert_eq!(read("twin")?, [1.0; 3]);
    let file = weights.to_bytes()?;
    weights.write("w", &[7.0; 3])?;
    weights.write("w.slow", &[8.0; 3])?;
    assert_eq!((read("w")?, read("w.slow")?), (vec![7.0; 3], vec![8.0; 3]));
    weights.load_bytes(&file)?;
    for name in ["w", "w.slow", "w.average"] {
        assert_eq!(read(name)?, [2.0, 3.0, 4.0], "{name}");
    }
    assert_eq!(read("twin")?, [1.0; 3]);
    Ok(())
}

#[test]
fn what_they_can_not_do_is_refused() -> Result<()> {
    let mut g = Graph::new();
    let rate = g.input_scalar("rate")?;
    let bias = g.parameter("fc.bias", [4], Init::Constant(0.0))?;
    let weight = g.parameter("fc.weight", [4, 3], Init::Constant(0.0))?;
    let (of_bias, of_weight) = (g.input("of_bias", [4])?, g.input("of_weight", [4, 3])?);
    let pairs = [(bias, of_bias), (weight, of_weight)];
    let text = |outcome: Result<()>| outcome.expect_err("it is refused").to_string();
    let error = text(Muon::new(rate).apply(&mut g, &pairs));
    assert!(error.contains("fc.bias") && error.contains("Muon::only"), "{error}");
    let error = text(Muon::new(rate).only(|name| name == "conv").apply(&mut g, &pairs));
    assert!(error.contains("holds for none of the parameters"), "{error}");
    let error = text(Muon::new(rate).momentum(1.0).apply(&mut g, &pairs));
    assert!(error.contains("momentum"), "{error}");
    let error = text(Muon::new(rate).ns_steps(100).apply(&mut g, &pairs));
    assert!(error.contains("ns_steps"), "{error}");
    let error = text(Lookahead::new(rate).apply(&mut g));
    assert!(error.contains("apply it after the optimizer"), "{error}");
    Muon::new(rate).only(|name| name == "fc.weight").apply(&mut g, &pairs)?;
    let error = text(Muon::new(rate).only(|name| name == "fc.weight").apply(&mut g, &pairs));
    assert!(error.contains("updated earlier"), "{error}");
    let error = text(Lookahead::new(rate).every(0).apply(&mut g));
    assert!(error.contains("every"), "{error}");
    let error = text(Lookahead::new(rate).running_statistics(true).apply(&mut g.clone()));
    assert!(error.contains("the graph updates none"), "{error}");
    let error = text(Lookahead::new(of_bias).apply(&mut g));
    assert!(error.contains("f32 scalar"), "{error}");
    Ok(())
}
