//! Two optimizers in one graph, each with averages of its parameters, interrupted and resumed.

use super::optimizers::{Adversaries, of_discriminator, of_generator, write};
use super::{assert_weights, fixture, weights_of};
use crate::harness::device;
use std::collections::BTreeMap;
use wgrad::optim::Ema;
use wgrad::{Graph, Plan, Result, Session, Weights};

const DECAYS: [f64; 2] = [0.75, 0.5];

/// A GAN's step: the discriminator's update, and then the generator's.
fn graph() -> Result<Graph> {
    let nets = Adversaries::new();
    let mut g = Graph::new();
    let fake = nets.generate(&mut g)?;
    let first = nets.discriminate(&mut g, fake)?;
    of_discriminator(&mut g)?.average(Ema::new(DECAYS[0])).minimize(&mut g, first)?;
    let second = nets.judge(&mut g, fake, 1.0)?;
    of_generator(&mut g)?.average(Ema::new(DECAYS[1])).minimize(&mut g, second)?;
    Ok(g)
}

fn session(g: &Graph, weights: &Weights) -> Result<Session> {
    Session::new(device(), Plan::new(g, &[], device().caps())?, weights)
}

fn contents(weights: &Weights) -> Result<BTreeMap<String, Vec<f64>>> {
    weights.names().map(|name| Ok((name.to_owned(), weights.read(name)?.to_f64()))).collect()
}

#[test]
fn both_networks_are_averaged_and_resume_to_the_same_bits() -> Result<()> {
    let [after, before] = fixture("in_turn");
    let g = graph()?;
    let weights = weights_of(&g, &before)?;
    let mut whole = session(&g, &weights)?;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("gan");
    let mut averages: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for step in 0..3 {
        write(&mut whole, &before, step)?;
        whole.step()?;
        for (name, parameters) in contents(&weights)? {
            if !g.find(&name).is_some_and(|value| g.parameters().contains(&value)) {
                continue;
            }
            let decay = DECAYS[usize::from(name.starts_with("generator."))];
            let average = averages.entry(name).or_insert_with(|| parameters.clone());
            for (average, parameter) in average.iter_mut().zip(parameters) {
                *average = decay * *average + (1.0 - decay) * parameter;
            }
        }
        if step == 0 {
            whole.save_checkpoint(&path)?;
        }
    }
    // The parameters are PyTorch's, with averages as without.
    assert_weights(&weights, &after, 6 + 7)?;
    let averaged = weights.averaged()?;
    assert_eq!(averages.len(), 4 + 5);
    for (name, expected) in &averages {
        for (found, expected) in averaged.read(name)?.to_f64().iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-6, "{name}: {found}, expected {expected}");
        }
    }

    let others = Weights::init(device(), &g, 9)?;
    let mut resumed = session(&g, &others)?;
    resumed.load_checkpoint(&path)?;
    assert_eq!(resumed.step_number(), 1);
    for step in 1..3 {
        write(&mut resumed, &before, step)?;
        resumed.step()?;
    }
    let [whole, resumed] = [contents(&weights)?, contents(&others)?];
    let bits = |contents: &BTreeMap<String, Vec<f64>>| -> Vec<u64> {
        contents.values().flatten().map(|x| x.to_bits()).collect()
    };
    assert_eq!(bits(&whole), bits(&resumed));
    assert!(whole.keys().any(|name| name == "generator.0.weight.average"));
    Ok(())
}
