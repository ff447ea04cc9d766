//! Wall time for criterion, with throughput in FLOP/s, bytes/s or images/s.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use std::time::Duration;

/// Wall time. `elements` says what criterion's elements are.
pub struct GpuTime {
    pub elements: Elements,
}

/// The meaning of criterion's elements.
#[allow(dead_code, reason = "each bench counts one of them")]
pub enum Elements {
    Flops,
    Images,
}

/// A unit, and the number of it that one element per nanosecond is.
struct Formatter(&'static str, f64);

impl Measurement for GpuTime {
    type Intermediate = <WallTime as Measurement>::Intermediate;
    type Value = Duration;

    fn start(&self) -> Self::Intermediate {
        WallTime.start()
    }

    fn end(&self, start: Self::Intermediate) -> Duration {
        WallTime.end(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        match self.elements {
            Elements::Flops => &Formatter("GFLOP/s", 1.0),
            Elements::Images => &Formatter("images/s", 1e9),
        }
    }
}

impl ValueFormatter for Formatter {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }

    fn scale_throughputs(&self, _typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        // Values are nanoseconds, so work divided by a value is in 10^9 per second.
        let (work, unit) = match *throughput {
            Throughput::Bytes(bytes) => (bytes as f64, "GB/s"),
            Throughput::Elements(elements) => (elements as f64 * self.1, self.0),
            _ => (1e9, "runs/s"),
        };
        for value in values {
            *value = work / *value;
        }
        unit
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_for_machines(values)
    }
}
