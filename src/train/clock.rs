//! Steps and the time they took, without pauses.

use std::time::{Duration, Instant};

/// First steps that the speed leaves out: drivers still allocate, and processors change their clock.
const WARM_UP: u64 = 5;

#[derive(Debug, Default)]
pub(super) struct Clock {
    steps: u64,
    elapsed: Duration,
    since: Option<Instant>,
}

impl Clock {
    pub(super) fn go_on(&mut self) {
        self.since = Some(Instant::now());
    }

    /// The GPU must have finished by now.
    pub(super) fn pause(&mut self) {
        self.elapsed += self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
    }

    /// Counts a step. After the last of the first ones the time begins anew, and the GPU must have finished by now.
    pub(super) fn step(&mut self) {
        self.steps += 1;
        if self.steps == WARM_UP {
            self.elapsed = Duration::ZERO;
            self.since = Some(Instant::now());
        }
    }

    /// Whether the next step is the last of those left out.
    pub(super) fn begins_after_next(&self) -> bool {
        self.steps + 1 == WARM_UP
    }

    /// `None` before the first counted step.
    pub(super) fn samples_per_second(&self, batch_size: usize) -> Option<f64> {
        let steps = self.steps.checked_sub(WARM_UP).filter(|&steps| steps > 0)?;
        let elapsed = self.elapsed + self.since.map_or(Duration::ZERO, |since| since.elapsed());
        Some(steps as f64 * batch_size as f64 / elapsed.as_secs_f64().max(1e-9))
    }
}
