//! Batches of a data set, brought to the inputs of a session.

use crate::data::Batch;
use crate::error::Result;
use crate::graph::Value;
use crate::session::Session;

/// Gives the inputs a batch for the coming step.
pub(super) fn write(session: &mut Session, inputs: &[Value], batch: &Batch) -> Result<()> {
    inputs.iter().zip(batch.columns()).try_for_each(|(&input, column)| session.write(input, column))
}
