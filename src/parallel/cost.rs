//! How long a sum over ranks takes, by latency and bandwidth.

use std::time::Duration;

/// What an exchange between two ranks costs, both ways at once.
///
/// ```
/// use wgrad::parallel::Cost;
///
/// let network = Cost { latency: 20e-6, bytes_per_second: 12.5e9 };
/// // The gradients of ResNet-50 in f32, over 64 ranks.
/// let seconds = network.sum(64, 4 * 25_557_032).as_secs_f64();
/// assert!((seconds - 0.01634).abs() < 1e-4, "{seconds}");
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cost {
    /// Seconds that an exchange of nothing takes.
    pub latency: f64,
    /// Bytes a second that a rank sends while it receives as many, with what adding them takes.
    pub bytes_per_second: f64,
}

impl Cost {
    /// The time of [`sum`](super::sum) over `ranks` of `bytes` each: that of `2 log2(ranks)` exchanges, in which a rank sends
    /// `2 (1 - 1 / ranks)` times the bytes in all.
    pub fn sum(&self, ranks: usize, bytes: u64) -> Duration {
        let levels = f64::from(ranks.max(1).ilog2());
        let sent = 2.0 * (1.0 - 1.0 / ranks.max(1) as f64) * bytes as f64;
        Duration::try_from_secs_f64(2.0 * levels * self.latency + sent / self.bytes_per_second)
            .unwrap_or(Duration::MAX)
    }
}
