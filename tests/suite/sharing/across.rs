//! Several graphs, each with an optimizer of its own, that share weights.

use super::optimizers::{Adversaries, of_discriminator, of_generator, write};
use super::{assert_weights, fixture, set};
use crate::harness::{device, numbers};
use std::collections::BTreeMap;
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::optim::Sgd;
use wgrad::{Error, Graph, HostTensor, Mode, Plan, Result, Session, Value, Weights};

/// The two steps of a GAN as graphs of their own, with their losses.
fn steps() -> Result<[(Graph, Value); 2]> {
    let nets = Adversaries::new();
    let mut of_d = Graph::new();
    let fake = nets.generate(&mut of_d)?;
    let first = nets.discriminate(&mut of_d, fake)?;
    of_discriminator(&mut of_d)?.minimize(&mut of_d, first)?;
    let mut of_g = Graph::new();
    let fake = nets.generate(&mut of_g)?;
    let second = nets.judge(&mut of_g, fake, 1.0)?;
    of_generator(&mut of_g)?.minimize(&mut of_g, second)?;
    Ok([(of_d, first), (of_g, second)])
}

fn session(step: &(Graph, Value), weights: &Weights) -> Result<Session> {
    let plan = Plan::new(&step.0, &[step.1], device().caps())?;
    let mut session = Session::new(device(), plan, weights)?;
    session.record(step.1, 3)?;
    Ok(session)
}

fn contents(weights: &Weights) -> Result<Vec<(String, HostTensor)>> {
    weights.names().map(|name| Ok((name.to_owned(), weights.read(name)?))).collect()
}

#[test]
fn two_graphs_in_turn_agree_with_pytorch() -> Result<()> {
    let [after, before] = fixture("across");
    let steps = steps()?;
    let both = Weights::init_all(device(), &[&steps[0].0, &steps[1].0], 0)?;
    // Or one after the other.
    let first = Weights::init(device(), &steps[0].0, 0)?;
    let second = first.with_state_of(&steps[1].0)?;
    let mut found = Vec::new();
    for weights in [[&both, &both], [&first, &second]] {
        set(weights[1], &before)?;
        let mut sessions = [session(&steps[0], weights[0])?, session(&steps[1], weights[1])?];
        for step in 0..3 {
            for session in &mut sessions {
                write(session, &before, step)?;
                session.step()?;
            }
        }
        assert_weights(weights[1], &after, 6 + 7)?;
        found.push(contents(weights[1])?);
        let mut losses = Vec::new();
        for (session, (_, loss)) in sessions.iter_mut().zip(&steps) {
            losses.push(session.recorded(*loss)?.to_f64());
            session.verify()?;
        }
        for (step, expected) in after.array("losses").data.chunks(2).enumerate() {
            for (found, expected) in [losses[0][step], losses[1][step]].iter().zip(expected) {
                let error = (found - expected).abs() / expected.abs();
                assert!(error <= 1e-5, "step {step}: loss {found}, PyTorch {expected}");
            }
        }
    }
    assert_eq!(found[0], found[1], "weights that grew are those that were made at once");
    Ok(())
}

/// Training of both sessions from step `from` to step 3.
fn train(sessions: &mut [Session; 2], from: usize) -> Result<()> {
    let [_, before] = fixture("across");
    for step in from..3 {
        for session in &mut *sessions {
            write(session, &before, step)?;
            session.step()?;
        }
    }
    Ok(())
}

#[test]
fn sessions_save_and_load_one_checkpoint() -> Result<()> {
    let steps = steps()?;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("gan");
    let new = || -> Result<(Weights, [Session; 2])> {
        let weights = Weights::init_all(device(), &[&steps[0].0, &steps[1].0], 7)?;
        let sessions = [session(&steps[0], &weights)?, session(&steps[1], &weights)?];
        Ok((weights, sessions))
    };
    let (weights, mut sessions) = new()?;
    train(&mut sessions, 1)?;
    // The discriminator is a step ahead.
    sessions[0].step()?;
    let notes = BTreeMap::from([("rates".to_owned(), "as before".to_owned())]);
    {
        let [a, b] = &mut sessions;
        Session::save_checkpoint_of(&mut [a, b], &path, &notes)?;
    }
    let saved = contents(&weights)?;
    let (resumed, mut others) = new()?;
    {
        let [a, b] = &mut others;
        assert_eq!(Session::load_checkpoint_of(&mut [&mut *a, &mut *b], &path)?, notes);
        assert_eq!([a.step_number(), b.step_number()], [3, 2]);
    }
    assert_eq!(contents(&resumed)?, saved);
    train(&mut sessions, 2)?;
    train(&mut others, 2)?;
    assert_eq!(contents(&weights)?, contents(&resumed)?);

    let says = |error: Error, words: &str| assert!(error.to_string().contains(words), "{error}");
    says(sessions[0].save_checkpoint(&path).unwrap_err(), "Session::save_checkpoint_of");
    says(sessions[0].load_checkpoint(&path).unwrap_err(), "Session::save_checkpoint_of");
    let [a, b] = &mut sessions;
    let [c, _] = &mut others;
    says(Session::save_checkpoint_of(&mut [a, c, b], &path, &notes).unwrap_err(), "weights of their own");
    says(Session::save_checkpoint_of(&mut [], &path, &notes).unwrap_err(), "needs a session");
    let mut evaluation = session(&steps[1], &weights)?;
    let number = "is a checkpoint of 2 sessions, found 3";
    says(Session::load_checkpoint_of(&mut [a, b, &mut evaluation], &path).unwrap_err(), number);
    Ok(())
}

fn classifier() -> nn::Sequential {
    nn::Sequential::new()
        .add("body", nn::Linear::new(5, 6))
        .add("bn", nn::BatchNorm::new(6))
        .add("tanh", nn::Tanh)
        .add("head", nn::Linear::new(6, 3))
}

/// A step that trains the parameters whose names begin so.
fn phase(only: &'static str, group: &'static str) -> Result<(Graph, Value)> {
    let mut g = Graph::new();
    let x = g.input("x", [8, 5])?;
    let y = classifier().forward(&mut g, x, Mode::Train)?;
    let square = g.mul(y, y)?;
    let loss = g.mean(square, &[], false)?;
    let rate = g.input_scalar("rate")?;
    Sgd::new(rate)
        .momentum(0.9)
        .only(move |name| name.starts_with(only))
        .group(move |name| name.ends_with(group), |group| group.weight_decay(0.1))
        .minimize(&mut g, loss)?;
    Ok((g, loss))
}

fn run(step: &(Graph, Value), weights: &Weights, times: usize) -> Result<()> {
    let mut session = session(step, weights)?;
    let (x, rate) = (step.0.find("x").expect("it is there"), step.0.find("rate").expect("it is there"));
    session.write_scalar(rate, 0.1)?;
    for seed in 0..times {
        session.write(x, &numbers([8, 5], seed as u64))?;
        session.step()?;
    }
    Ok(())
}

#[test]
fn a_phase_for_the_head_and_one_for_all_share_weights() -> Result<()> {
    let (head, all) = (phase("head.", "")?, phase("", "")?);
    for graphs in [[&head.0, &all.0], [&all.0, &head.0]] {
        let shared = Weights::init_all(device(), &graphs, 3)?;
        assert_eq!(contents(&shared)?, contents(&Weights::init(device(), &all.0, 3)?)?, "in whichever order");
        run(&head, &shared, 3)?;
        // The same from weights that belong to the second phase alone.
        let own = Weights::init(device(), &all.0, 4)?;
        for (name, tensor) in contents(&shared)? {
            own.write(&name, tensor.as_f32().expect("weights are floats"))?;
        }
        run(&all, &shared, 2)?;
        run(&all, &own, 2)?;
        assert_eq!(contents(&shared)?, contents(&own)?);
    }
    Ok(())
}

#[test]
fn weights_of_several_graphs_need_one_order_and_one_shape() -> Result<()> {
    let refused = |graphs: &[&Graph], words: &[&str]| {
        let error =
            Weights::init_all(device(), graphs, 0).map(drop).expect_err("they can't share").to_string();
        for word in words {
            assert!(error.contains(word), "expected \"{word}\" in: {error}");
        }
    };
    // Biases first: the head's parameters are apart then, and in the other graph one after the other.
    let (head, all) = (phase("head.", "")?, phase("", "weight")?);
    refused(&[&head.0, &all.0], &["\"head.weight\"", "\"head.bias\"", "in another order"]);
    // One updates body and norm, the other norm and head.
    let (low, high) = (phase("b", "")?, phase("", "")?);
    Weights::init_all(device(), &[&low.0, &high.0], 0)?;
    let mut g = Graph::new();
    g.scoped("head", |g| g.parameter("weight", [6, 3], Init::Constant(0.0)))?;
    refused(&[&head.0, &g], &["\"head.weight\"", "f32[3, 6]", "f32[6, 3]"]);
    let empty = Graph::new();
    assert_eq!(Weights::init_all(device(), &[&empty, &head.0, &empty], 0)?.names().count(), 8 + 2);
    assert_eq!(Weights::init_all(device(), &[], 0)?.names().count(), 0);
    refused(&vec![&empty; 129], &["at most 128 graphs", "found 129"]);
    Ok(())
}
