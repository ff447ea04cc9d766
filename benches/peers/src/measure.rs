//! The clock and its figures.

use crate::Repeat;
use std::time::{Duration, Instant};

/// How long and how often to measure.
pub struct Clock {
    /// Runs and time before the clock counts, in which caches fill and libraries tune themselves.
    warm_up: (usize, Duration),
    /// The least length of a sample.
    window: Duration,
    /// Number of samples, and the least number if they take longer than `enough`.
    samples: (usize, usize),
    enough: Duration,
}

impl Clock {
    /// Samples of many steps.
    pub fn for_networks(short: bool) -> Clock {
        let millis = Duration::from_millis;
        if short {
            Clock { warm_up: (3, millis(500)), window: millis(500), samples: (3, 2), enough: millis(2000) }
        } else {
            Clock {
                warm_up: (5, millis(3000)),
                window: millis(1500),
                samples: (5, 3),
                enough: millis(10_000),
            }
        }
    }

    /// Many samples of a few runs.
    pub fn for_operators(short: bool) -> Clock {
        let millis = Duration::from_millis;
        if short {
            Clock { warm_up: (2, millis(100)), window: millis(30), samples: (7, 2), enough: millis(1000) }
        } else {
            Clock { warm_up: (3, millis(500)), window: millis(50), samples: (21, 3), enough: millis(5000) }
        }
    }

    /// Samples of the seconds that a run of each piece of work takes, the pieces taking turns. A
    /// sample ends with one wait for the device.
    pub fn time<const N: usize>(&self, mut work: [&mut dyn Repeat; N]) -> Vec<[f64; N]> {
        let mut runs = [1; N];
        for (work, runs) in work.iter_mut().zip(&mut runs) {
            let (count, time) = self.warm_up;
            let start = Instant::now();
            let mut done = 0;
            let mut fastest = f64::INFINITY;
            while done < count || start.elapsed() < time {
                fastest = fastest.min(sample(*work, 1));
                done += 1;
            }
            let run = fastest * work.passes() as f64;
            *runs = (self.window.as_secs_f64() / run).ceil().max(1.0) as usize;
        }
        let start = Instant::now();
        let mut samples = Vec::new();
        let (wanted, least) = self.samples;
        while samples.len() < least || (samples.len() < wanted && start.elapsed() < self.enough) {
            samples.push(std::array::from_fn(|i| sample(work[i], runs[i])));
        }
        samples
    }
}

fn sample(work: &mut dyn Repeat, runs: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..runs {
        work.run();
    }
    work.wait();
    start.elapsed().as_secs_f64() / (runs * work.passes()) as f64
}

/// A measured quantity and its samples.
pub struct Figure {
    name: String,
    unit: &'static str,
    samples: Vec<f64>,
}

impl Figure {
    pub fn new(name: impl Into<String>, unit: &'static str, samples: Vec<f64>) -> Figure {
        Figure { name: name.into(), unit, samples }
    }

    pub fn json(&self, peer: &str) -> serde_json::Value {
        let fold = |of: fn(f64, f64) -> f64| self.samples.iter().copied().reduce(of);
        serde_json::json!({
            "peer": peer,
            "figure": self.name,
            "unit": self.unit,
            "median": median(&self.samples),
            "min": fold(f64::min),
            "max": fold(f64::max),
            "samples": self.samples.len(),
        })
    }
}

/// The middle sample, or the mean of the two in the middle; NaN without samples.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => 0.5 * (sorted[middle - 1] + sorted[middle]),
    }
}

/// The most memory that this process has held so far, in 10^6 bytes, if the system tells.
pub fn peak_resident_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|text| text.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kibibytes.map_or(f64::NAN, |k| k * 1024.0 / 1e6)
}
