//! Writes hashes of whole training steps to the file that `WGRAD_BITS` names; `ops` adds those of operators. Nothing
//! is compared here. To compare two builds, compare their files.

use crate::harness::bits::{Bits, VARIABLE};
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

fn record(network: &str, training: &Training) {
    let mut bits = Bits::of("steps").unwrap_or_else(|| panic!("{VARIABLE} names no file to write"));
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
        let found = run(training, caps, &options).unwrap_or_else(|e| panic!("{network}, {how}: {e}"));
        for (name, tensor) in found {
            bits.add(network, how, &name, &tensor);
        }
    }
    bits.save();
}

#[test]
#[ignore = "writes the file that WGRAD_BITS names, and compares nothing"]
fn of_the_seed_networks_steps() {
    record("the seed network", &training(8).expect("the network is valid"));
}

#[test]
#[ignore = "writes the file that WGRAD_BITS names, and compares nothing"]
fn of_a_residual_networks_steps() {
    record("a residual network", &residual_training(3, 20, 5, 10).expect("the network is valid"));
}
