//! A run's measurements, and their JSON form.

use serde_json::{Map, Value, json};
use std::path::Path;
use wgrad::device::AdapterSummary;
use wgrad::{Plan, Result, file};

/// A run's measurements.
pub struct Record {
    pub adapter: AdapterSummary,
    pub batch_size: usize,
    /// Speed without the first steps, evaluations and set-up. `None` if the run was too short.
    pub images_per_second: Option<f64>,
    /// From the start of the process until the GPU had finished the first step.
    pub seconds_to_first_step: Option<f64>,
    pub dispatches_per_step: f64,
    pub submits_per_step: f64,
    /// Device memory of the training step, by kind.
    pub device_bytes: Vec<(&'static str, u64)>,
    /// Loss of every step.
    pub losses: Vec<f32>,
    /// Correct predictions among each training batch.
    pub correct: Vec<u32>,
    /// After each epoch: steps so far, and the fraction of correct predictions on the test images.
    pub tests: Vec<(u64, f64)>,
}

impl Record {
    pub fn new(adapter: &AdapterSummary, batch_size: usize, plan: &Plan) -> Record {
        Record {
            adapter: adapter.clone(),
            batch_size,
            images_per_second: None,
            seconds_to_first_step: None,
            dispatches_per_step: 0.0,
            submits_per_step: 0.0,
            device_bytes: plan.device_bytes().iter().map(|(kind, &bytes)| (kind.name(), bytes)).collect(),
            losses: Vec::new(),
            correct: Vec::new(),
            tests: Vec::new(),
        }
    }

    /// Writes the JSON report.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut bytes: Map<String, Value> =
            self.device_bytes.iter().map(|&(kind, bytes)| (kind.to_owned(), json!(bytes))).collect();
        bytes.insert("total".into(), json!(self.device_bytes.iter().map(|&(_, bytes)| bytes).sum::<u64>()));
        let accuracies: Vec<f64> = self.tests.iter().map(|&(_, accuracy)| accuracy).collect();
        let fields = [
            ("adapter", json!(self.adapter.name)),
            ("backend", json!(self.adapter.backend)),
            ("driver", json!(self.adapter.driver)),
            ("software", json!(self.adapter.software)),
            ("batch_size", json!(self.batch_size)),
            ("steps", json!(self.losses.len())),
            ("images_per_second", json!(self.images_per_second)),
            ("seconds_to_first_step", json!(self.seconds_to_first_step)),
            ("dispatches_per_step", json!(self.dispatches_per_step)),
            ("submits_per_step", json!(self.submits_per_step)),
            ("device_bytes", json!(bytes)),
            ("losses", json!(self.losses)),
            ("test_accuracy", json!(accuracies)),
        ];
        // One field per line, so that a person can read it and thousands of losses stay on one line.
        let lines: Vec<String> =
            fields.iter().map(|(name, value)| format!("  \"{name}\": {value}")).collect();
        file::write_whole(path, format!("{{\n{}\n}}\n", lines.join(",\n")).as_bytes())
    }
}
