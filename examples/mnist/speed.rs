//! The trainer's clock.

use std::time::{Duration, Instant};

/// Steps and the time they took, without pauses.
#[derive(Default)]
pub struct Speed {
    pub steps: u64,
    elapsed: Duration,
    since: Option<Instant>,
}

impl Speed {
    pub fn go_on(&mut self) {
        self.since = Some(Instant::now());
    }

    /// The GPU must have finished by now.
    pub fn pause(&mut self) {
        self.elapsed += self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
    }

    /// `None` before the first counted step.
    pub fn images_per_second(&self, batch_size: usize) -> Option<f64> {
        let elapsed = self.elapsed + self.since.map_or(Duration::ZERO, |since| since.elapsed());
        (self.steps > 0).then(|| self.steps as f64 * batch_size as f64 / elapsed.as_secs_f64().max(1e-9))
    }
}
