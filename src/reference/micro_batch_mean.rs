//! The mean over the micro-batches of a step, of which a reference sees one.

use crate::op::{Array, Reference};
use crate::ops::micro_batch_mean::MicroBatchMean;

/// The mean over one.
impl Reference for MicroBatchMean {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].clone()]
    }
}
