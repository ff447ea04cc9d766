//! Whole training steps give the same bits again. Their hashes go to the file that `WGRAD_BITS` names, if it is set, where
//! `ops` adds those of operators. To compare two builds, compare their files.

use crate::harness::bits::Bits;
use crate::harness::network::{Training, residual_training, training};
use crate::harness::{device, labels, numbers};
use wgrad::op::AdapterKind;
use wgrad::plan::{Fusion, Watch};
use wgrad::{Caps, Error, HostTensor, Plan, PlanOptions, Session, Weights};

const STEPS: usize = 2;

/// The loss of each step, and all weights after the last.
fn run(training: &Training, caps: &Caps, options: &PlanOptions) -> Result<Vec<(String, HostTensor)>, Error> {
    let plan = Plan::with_options(&training.graph, &[training.loss], caps, options)?;
    let weights = Weights::init(device(), &training.graph, 3)?;
    let mut session = Session::new(device(), plan, &weights)?;
    let images = training.graph.shape(training.images)?;
    session.write(training.images, &numbers(images.clone(), 1))?;
    session.write(training.labels, &labels(images[0], 10, 2))?;
    session.write_scalar(training.rate, 0.05)?;
    let mut found = Vec::new();
    for step in 0..STEPS {
        session.step()?;
        found.push((format!("loss {step}"), session.read(training.loss)?));
    }
    for name in weights.names() {
        found.push((name.to_owned(), weights.read(name)?));
    }
    Ok(found)
}

fn repeats(network: &str, training: &Training) {
    let mut bits = Bits::of("steps");
    let unfused = Fusion::ALL.into_iter().fold(PlanOptions::default(), PlanOptions::without);
    let own = device().caps().clone();
    let discrete = Caps::webgpu_defaults(AdapterKind::Discrete);
    for (how, caps, options) in [
        ("fused", &own, PlanOptions::default()),
        ("fused, watched", &own, PlanOptions::default().watch(Watch::new())),
        ("unfused", &own, unfused.clone()),
        ("unfused, watched", &own, unfused.watch(Watch::new())),
        ("fused, as for discrete adapters", &discrete, PlanOptions::default()),
    ] {
        let run = || run(training, caps, &options).unwrap_or_else(|e| panic!("{network}, {how}: {e}"));
        let found = run();
        assert_eq!(found, run(), "{network}, {how}: a second run differs");
        for (name, tensor) in found {
            if let Some(bits) = &mut bits {
                bits.add(network, how, &name, &tensor);
            }
        }
    }
    if let Some(bits) = bits {
        bits.save();
    }
}

#[test]
fn the_seed_networks_steps_repeat() {
    repeats("the seed network", &training(8).expect("the network is valid"));
}

#[test]
fn a_residual_networks_steps_repeat() {
    repeats("a residual network", &residual_training(3, 20, 5, 10).expect("the network is valid"));
}
