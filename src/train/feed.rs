//! Batches of a data set, brought to the inputs of a session.

use crate::data::{Batch, Column};
use crate::error::Result;
use crate::graph::Value;
use crate::session::Session;

/// Gives the inputs a batch for the coming step.
pub(super) fn write(session: &mut Session, inputs: &[Value], batch: &Batch) -> Result<()> {
    for (&input, column) in inputs.iter().zip(batch.columns()) {
        match column {
            Column::F32(data) => session.write(input, data)?,
            Column::I32(data) => session.write(input, data)?,
            Column::U8(data) => session.write(input, data)?,
        }
    }
    Ok(())
}
