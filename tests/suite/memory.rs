//! Device memory of whole training steps against the least that their lifetimes allow.

use crate::harness;
use crate::harness::network::{Training, residual_training, training_of};
use crate::harness::{device, labels, numbers};
use wgrad::nn::models;
use wgrad::op::AdapterKind;
use wgrad::plan::Fusion;
use wgrad::{Caps, Error, Plan, PlanOptions, Session, Weights};

const KINDS: [AdapterKind; 4] =
    [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software];

#[test]
fn planned_memory_is_within_a_seventh_of_the_least() {
    let networks: [(&str, Result<Training, Error>); 9] = [
        ("seed network, batch 64", harness::network::training(64)),
        ("seed network, batch 256", harness::network::training(256)),
        ("ResNet-18, 8 of 64 x 64", residual_training(8, 64, 64, 1000)),
        ("ResNet-18, 1 of 224 x 224", residual_training(1, 224, 64, 1000)),
        ("ResNet-18, 4 of 224 x 224", residual_training(4, 224, 64, 1000)),
        ("ResNet-18, 32 of 224 x 224", residual_training(32, 224, 64, 1000)),
        ("ResNet-50, 8 of 224 x 224", training_of(&models::resnet50(3, 1000), [8, 3, 224, 224])),
        ("MobileNetV2, 8 of 224 x 224", training_of(&models::mobilenet_v2(3, 1000), [8, 3, 224, 224])),
        ("U-Net, 2 of 256 x 256", training_of(&models::unet(3, 2, 32), [2, 3, 256, 256])),
    ];
    for (name, training) in networks {
        let Training { graph, loss, .. } = training.expect("the network is valid");
        for kind in KINDS {
            let plan = Plan::new(&graph, &[loss], &Caps::webgpu_defaults(kind));
            let plan = plan.unwrap_or_else(|e| panic!("{name} on {kind}: {e}"));
            let bytes = plan.device_bytes();
            let ratio = |planned: u64, least: u64| planned as f64 / least as f64;
            let (planned, least) = (bytes.values().sum(), plan.device_lower_bound());
            let activations = bytes[&wgrad::plan::BufferKind::Activations];
            let whole = ratio(planned, least);
            let alone = ratio(activations, plan.activation_lower_bound());
            println!(
                "{name}, {kind}: {planned} bytes, at the least {least}: {whole:.3}; activations alone {alone:.3}"
            );
            // The activations alone, too, or weights would hide what is wasted between them.
            assert!(whole <= 1.15 && alone <= 1.2, "{name}, {kind}: {whole:.3}, activations {alone:.3}");
        }
    }
}

#[test]
fn the_least_is_what_is_alive_at_once() -> Result<(), Error> {
    // Three sums one after the other, the first needed again by the last: three values are alive while
    // the third is made, beside the input and no weights.
    let mut graph = wgrad::Graph::new();
    let x = graph.input("x", [1024])?;
    let a = graph.add(x, x)?;
    let b = graph.tanh(a)?;
    let c = graph.add(a, b)?;
    let d = graph.tanh(c)?;
    let apart = PlanOptions::default().without(Fusion::Elementwise);
    let plan = Plan::with_options(&graph, &[d], &Caps::webgpu_defaults(AdapterKind::Software), &apart)?;
    assert_eq!(plan.activation_lower_bound(), 3 * 4096);
    assert_eq!(plan.device_lower_bound(), 4 * 4096);
    Ok(())
}

/// The plan's memory is sound where the network runs: every node of a residual network agrees with the
/// reference, and a second session gives the same bits.
#[test]
fn a_small_residual_network_trains_and_verifies() -> Result<(), Error> {
    let run = || -> Result<Vec<f64>, Error> {
        let Training { graph, images, labels: targets, rate, loss } = residual_training(4, 32, 8, 10)?;
        let plan = Plan::new(&graph, &[loss], device().caps())?;
        let weights = Weights::init(device(), &graph, 3)?;
        let mut session = Session::new(device(), plan, &weights)?;
        session.write(images, &numbers([4, 3, 32, 32], 1))?;
        session.write(targets, &labels(4, 10, 2))?;
        session.write_scalar(rate, 0.02)?;
        session.verify()?;
        let mut losses = Vec::new();
        for _ in 0..8 {
            session.step()?;
            losses.push(session.read(loss)?.to_f64()[0]);
        }
        session.verify()?;
        Ok(losses)
    };
    let losses = run()?;
    assert!(losses[7] < 0.5 * losses[0], "the loss of one batch falls: {losses:?}");
    assert_eq!(losses, run()?);
    Ok(())
}
