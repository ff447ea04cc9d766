//! What files say of a network.

use super::{forward, network, says, weights_of};
use crate::harness::{device, labels, numbers};
use std::collections::BTreeMap;
use tempfile::TempDir;
use wgrad::optim::{Adam, Ema};
use wgrad::weights::Metadata;
use wgrad::{Mode, Plan, Result, Session, Weights};

fn metadata() -> Metadata {
    let mut metadata = Metadata::default();
    metadata.class_names = ["cat", "dog", "g\u{e4}nse"].map(String::from).to_vec();
    metadata.mean = vec![0.485];
    metadata.deviation = vec![0.229];
    metadata.input_shape = Some([1, 6, 6].into());
    metadata.notes.insert("by".into(), "hand".into());
    metadata
}

/// A session that trains the network, with averages.
fn training(seed: u64) -> Result<(Weights, Session)> {
    let (mut g, x, logits) = forward(&network(3), Mode::Train)?;
    let targets = g.input_i32("labels", 4)?;
    let loss = g.cross_entropy(logits, targets)?;
    let rate = g.input_scalar("rate")?;
    Adam::new(rate).average(Ema::new(0.5)).minimize(&mut g, loss)?;
    let weights = Weights::init(device(), &g, seed)?;
    let mut session = Session::new(device(), Plan::new(&g, &[loss], device().caps())?, &weights)?;
    session.write_scalar(rate, 0.1)?;
    session.write(x, &numbers([4, 1, 6, 6], 1))?;
    session.write(targets, &labels(4, 3, 1))?;
    session.step()?;
    Ok((weights, session))
}

#[test]
fn files_hold_metadata_and_any_process_reads_it() -> Result<()> {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let [plain, dict, averaged, run] =
        ["plain", "dict", "averaged", "run"].map(|name| folder.path().join(format!("{name}.safetensors")));
    let (weights, mut session) = training(1)?;
    weights.save(&plain)?;
    assert!(Metadata::read(&plain)?.is_empty());
    // A session's weights are a clone of these.
    weights.set_metadata(metadata())?;
    assert_eq!(session.weights().metadata(), metadata());
    weights.save(&dict)?;
    weights.averaged()?.save(&averaged)?;
    let notes = BTreeMap::from([("epoch".to_owned(), "3".to_owned())]);
    session.save_checkpoint_with(&run, &notes)?;
    for path in [&dict, &averaged, &run] {
        assert_eq!(Metadata::read(path)?, metadata(), "{path:?}");
    }
    // The bytes of a file follow from what it holds.
    let first = std::fs::read(&run).expect("it was written");
    session.save_checkpoint_with(&run, &notes)?;
    assert_eq!(std::fs::read(&run).expect("it was written"), first);

    // To resume restores it, and so does a rebuilt session. To load weights does not.
    let (others, mut resumed) = training(2)?;
    assert_eq!(resumed.load_checkpoint(&run)?, notes);
    assert_eq!(others.metadata(), metadata());
    let rebuilt = session.rebuild(device(), &run)?;
    assert_eq!(rebuilt.weights().metadata(), metadata());
    let evaluation = weights_of(&network(3), 1)?;
    evaluation.load(&run)?;
    assert!(evaluation.metadata().is_empty());
    // A checkpoint without metadata leaves it as it is.
    let (_, mut without) = training(3)?;
    without.save_checkpoint(&run)?;
    resumed.load_checkpoint(&run)?;
    assert_eq!(others.metadata(), metadata());
    Ok(())
}

#[test]
fn wrong_metadata_is_refused() -> Result<()> {
    let weights = weights_of(&network(3), 1)?;
    weights.set_metadata(metadata())?;
    let mut wrong = metadata();
    wrong.deviation = vec![0.0];
    says(&weights.set_metadata(wrong).unwrap_err(), &["metadata", "deviations above 0, found 0"]);
    let mut wrong = metadata();
    wrong.mean.push(0.5);
    says(&weights.set_metadata(wrong).unwrap_err(), &["found 2 and 1"]);
    let mut wrong = metadata();
    wrong.notes.insert("long".into(), "x".repeat(1 << 20));
    says(&weights.set_metadata(wrong).unwrap_err(), &["the limit is 1048576"]);
    assert_eq!(weights.metadata(), metadata());
    says(&Metadata::read("/nowhere/at/all").unwrap_err(), &["reading", "/nowhere/at/all"]);
    Ok(())
}
