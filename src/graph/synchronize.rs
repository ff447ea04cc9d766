//! What a graph knows of batch norms that share statistics. They are built in `ops::batch_norm`.

use super::{Graph, Value};
use crate::error::Result;

/// How batch norms that are built now share their statistics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Synchronizing {
    pub micro_batches: usize,
    /// Builds one. Only what turns it on names the function, so that a program without it does not hold the operators.
    pub build: BuildBatchNorm,
}

/// Builds a batch norm of a value: by weight and bias, running mean and variance with a batch's share in them,
/// epsilon, and the number of micro-batches.
pub(crate) type BuildBatchNorm = fn(
    &mut Graph,
    x: Value,
    affine: Option<[Value; 2]>,
    running: Option<([Value; 2], f32)>,
    eps: f32,
    micro_batches: usize,
) -> Result<Value>;

impl Graph {
    /// Whether batch norms that are built now share their statistics.
    pub(crate) fn synchronizing(&mut self) -> &mut Option<Synchronizing> {
        &mut self.synchronizing
    }
}
