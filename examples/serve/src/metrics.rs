//! What the server counts, as Prometheus reads it.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use wgrad::predict::Predictor;

/// Upper bounds of the histogram of durations, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Status {
    code: u16,
}

pub struct Metrics {
    registry: Registry,
    requests: Family<Status, Counter>,
    seconds: Histogram,
}

impl Metrics {
    /// Metrics of a predictor, and of requests that hold one of so many permits each.
    pub fn new(predictor: Predictor, permits: (Arc<Semaphore>, usize)) -> Metrics {
        let mut registry = Registry::with_prefix("wgrad");
        let (requests, seconds) = (Family::default(), Histogram::new(SECONDS));
        registry.register("requests", "Requests to /predict by the status of their answer", requests.clone());
        registry.register("request_seconds", "From the request to its answer", seconds.clone());
        registry.register_collector(Box::new(Now { predictor, permits }));
        Metrics { registry, requests, seconds }
    }

    /// Counts an answer.
    pub fn answered(&self, code: u16, took: Duration) {
        self.requests.get_or_create(&Status { code }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Answers so far with this status.
    pub fn count(&self, code: u16) -> u64 {
        self.requests.get_or_create(&Status { code }).get()
    }

    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut all = String::new();
        text::encode(&mut all, &self.registry)?;
        Ok(all)
    }
}

/// What is asked for when metrics are.
#[derive(Debug)]
struct Now {
    predictor: Predictor,
    permits: (Arc<Semaphore>, usize),
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counters = self.predictor.counters();
        let (semaphore, all) = &self.permits;
        let under_way = all - semaphore.available_permits();
        for (name, help, count) in [
            ("items", "Pictures predicted.", counters.items),
            ("batches", "Batches that the device ran.", counters.batches),
            ("padding", "Places in batches that no picture filled.", counters.padding),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        for (name, help, count) in [
            ("waiting", "Pictures that wait.", counters.waiting),
            ("under_way", "Requests to /predict that are under way.", under_way),
        ] {
            let gauge = ConstGauge::new(count as i64);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}
