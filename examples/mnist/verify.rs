//! Checks every kernel of one training step against the reference.

use crate::cli::Options;
use crate::network::Training;
use crate::{Outcome, checkpoint, say, train};
use std::collections::BTreeMap;
use wgrad::data::Images;
use wgrad::{Device, Plan, Session};

/// Verifies a step on a first batch, with separate weights, so that it does not change the run that follows.
pub fn verify(
    device: &Device,
    plan: &Plan,
    training: &Training,
    data: &Images,
    options: &Options,
) -> Outcome<()> {
    let weights = train::initial_weights(device, training, options)?;
    let mut session = Session::new(device, plan.clone(), &weights)?;
    checkpoint::resume(&mut session, options, data)?;
    let mut batches = data.shuffled(options.seed, 0).batches(options.batch_size)?;
    if let Some(batch) = batches.next_batch() {
        session.write(training.step.images, batch.images)?;
        session.write(training.step.labels, batch.labels)?;
    }
    session.write_scalar(training.learning_rate, options.learning_rate)?;
    let verified = session.verify()?;
    let mut rows: BTreeMap<(&str, &str), (usize, f64, f64)> = BTreeMap::new();
    for node in &verified {
        let row = rows.entry((node.operator, node.variant)).or_insert((0, 0.0, node.tolerance));
        row.0 += 1;
        row.1 = row.1.max(node.error);
    }
    say!("verify: largest error of each kernel, relative to the reference's largest value or sum of terms");
    say!("  {:<26} {:<22} {:>5}  {:>8}  {:>9}", "operator", "variant", "nodes", "error", "tolerance");
    for ((operator, variant), (nodes, error, tolerance)) in rows {
        say!("  {operator:<26} {variant:<22} {nodes:>5}  {error:>8.1e}  {tolerance:>9.1e}");
    }
    say!("verify: all {} nodes of a step agree with the reference", verified.len());
    Ok(())
}
