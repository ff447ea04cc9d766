//! Batches of a data set, brought to the inputs of a session.

use crate::data::{Batch, Column};
use crate::error::Result;
use crate::graph::Value;
use crate::memory;
use crate::session::Session;

/// The inputs of a session, and memory to make floats of bytes in.
#[derive(Debug)]
pub(super) struct Feed {
    inputs: Vec<Value>,
    floats: Vec<f32>,
    /// A byte over 255 for each byte: the bits of the division, for one load.
    scaled: [f32; 256],
}

impl Feed {
    pub(super) fn new(inputs: Vec<Value>) -> Feed {
        Feed { inputs, floats: Vec::new(), scaled: std::array::from_fn(|byte| byte as f32 / 255.0) }
    }

    /// Gives the inputs a batch for the coming step.
    pub(super) fn write(&mut self, session: &mut Session, batch: &Batch) -> Result<()> {
        for (&input, column) in self.inputs.iter().zip(batch.columns()) {
            match column {
                Column::F32(data) => session.write(input, data)?,
                Column::I32(data) => session.write(input, data)?,
                Column::U8(bytes) => {
                    if self.floats.len() != bytes.len() {
                        self.floats = memory::filled(bytes.len(), 0.0, "a batch of floats")?;
                    }
                    for (float, &byte) in self.floats.iter_mut().zip(bytes) {
                        *float = self.scaled[usize::from(byte)];
                    }
                    session.write(input, &self.floats)?;
                }
            }
        }
        Ok(())
    }
}
