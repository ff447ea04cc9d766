//! Options of a shared step, and what a rank exchanged.

use crate::graph::Value;
use std::fmt;
use std::time::Duration;

/// Options of [`DataParallel`](super::DataParallel).
#[derive(Clone, Debug)]
pub struct ParallelOptions {
    pub(super) micro_batches: usize,
    pub(super) bucket_bytes: u64,
    pub(super) sums: Vec<Value>,
    pub(super) alike: Vec<(String, String)>,
}

impl ParallelOptions {
    /// Options for steps over so many micro-batches, on all ranks together.
    pub fn new(micro_batches: usize) -> Self {
        ParallelOptions { micro_batches, bucket_bytes: 4 << 20, sums: Vec::new(), alike: Vec::new() }
    }

    setters! {
        /// Sets the bytes of gradients that are exchanged together while the backward pass goes on: 4 MiB by default. All
        /// ranks need the same. Results do not depend on it.
        bucket_bytes: u64;
        /// Sets the one-element outputs of the plan that hold the sum over all micro-batches after a step. Others of f32
        /// hold the mean; counts (u32) always the sum.
        sums: Vec<Value>;
    }

    /// Adds something that has to be alike on all ranks, by a name and a text that says what it is, such as a seed.
    #[must_use]
    pub fn alike(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.alike.push((name.into(), text.into()));
        self
    }
}

/// What a rank exchanged since its [`DataParallel`](super::DataParallel) was made.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
#[non_exhaustive]
pub struct Exchanged {
    /// Steps.
    pub steps: u64,
    /// Bytes sent to other ranks. As many were received.
    pub bytes_sent: u64,
    /// Time in exchanges, also of waiting for other ranks.
    pub time: Duration,
}

/// Bytes sent and time, a step.
impl fmt::Display for Exchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.steps.max(1) as f64;
        let (bytes, seconds) = (self.bytes_sent as f64 / steps, self.time.as_secs_f64() / steps);
        write!(f, "{:.3} MB sent to other ranks a step, in {:.1} ms", bytes / 1e6, seconds * 1e3)
    }
}
