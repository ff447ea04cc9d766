//! The mean over the micro-batches of a step. A reference sees one of them.

use crate::op::{Array, Reference};
use crate::ops::micro_batch_mean::MicroBatchMean;

/// The mean over one.
impl Reference for MicroBatchMean {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].clone()]
    }
}
