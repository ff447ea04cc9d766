//! A trainer whose task augments: bytes go straight into it, and a run that was killed draws the same again.

use super::{Rows, bits, network};
use crate::harness::device;
use tempfile::TempDir;
use wgrad::data::Numbered;
use wgrad::nn::Augment;
use wgrad::ops::augment::{ColorJitter, Erase};
use wgrad::optim::AdamW;
use wgrad::train::{Accuracy, Supervised, Trainer};
use wgrad::{Graph, Result, Value};

fn augment() -> Augment {
    Augment::new(3)
        .random_crop([6, 6], 1)
        .alternating_flip("item", 8)
        .color_jitter(ColorJitter { brightness: 0.2, ..ColorJitter::default() })
        .erase(Erase::default())
        .normalize(&[0.3], &[0.3])
}

fn trainer(task: Supervised) -> Trainer {
    Trainer::new(device(), task)
        .optimizer(|g: &mut Graph, loss: Value, rate: Value| AdamW::new(rate).minimize(g, loss))
        .learning_rate(0.01)
        .batch_size(8)
        .epochs(2)
        .metric(Accuracy)
}

#[test]
fn a_run_that_was_killed_draws_the_same_again() -> Result<()> {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let file = folder.path().join("run.safetensors");
    let data = Numbered::new(Rows::new(61), "item")?;
    let unseen = Numbered::new(Rows::new(21), "item")?;
    let of = |cut: bool| {
        let task = Supervised::classifier(network()).augment(augment());
        trainer(if cut { task.cutmix(1.0, 5) } else { task.mixup(0.4, 5) })
    };
    for cut in [false, true] {
        let mut whole = of(cut);
        let history = whole.fit(&data, Some(&unseen))?;
        let mut first = of(cut).max_steps(5).checkpoint(&file);
        first.fit(&data, None)?;
        let mut rest = of(cut).resume(&file);
        let found = rest.fit(&data, Some(&unseen))?;
        assert_eq!(found.losses, history.losses[5..]);
        assert_eq!(bits(&rest.weights()?)?, bits(&whole.weights()?)?);
    }
    Ok(())
}

#[test]
fn bytes_are_augmented_without_a_copy_of_floats() -> Result<()> {
    let data = Numbered::new(Rows::new(61), "item")?;
    let names = |trainer: Trainer| -> Result<Vec<String>> {
        let plan = trainer.training_plan(&data)?;
        Ok(plan.dispatches().iter().map(|dispatch| dispatch.kernel.name().to_owned()).collect())
    };
    let plain = names(trainer(Supervised::classifier(network())))?;
    let augmented = names(trainer(Supervised::classifier(network()).augment(augment())))?;
    // Parameters and images, instead of the bytes' conversion.
    assert_eq!(augmented.len(), plain.len() + 1, "{augmented:?}");
    Ok(())
}

#[test]
fn what_can_not_be_mixed_is_refused() -> Result<()> {
    let loss = |g: &mut Graph, output: Value, target: Value| g.mse_loss(output, target);
    for (task, part) in [
        (Supervised::new(network(), loss).mixup(0.2, 1), "classifier"),
        (Supervised::classifier(network()).mixup(-1.0, 1), "alpha"),
        (
            Supervised::classifier(network()).augment(Augment::new(1).normalize(&[0.1; 3], &[1.0; 3])),
            "1 means",
        ),
    ] {
        let error = trainer(task).fit(&Rows::new(61), None).expect_err("it makes no sense").to_string();
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
    Ok(())
}
