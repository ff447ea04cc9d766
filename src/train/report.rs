//! A run's measurements as JSON.

use super::History;
use crate::device::Device;
use crate::error::Result;
use crate::file;
use crate::plan::Plan;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Instant;

impl History {
    /// Writes what was measured to a JSON file, one field a line: adapter, steps, speed, seconds from `started` to the
    /// end of the first step, the plan's bytes by kind, the loss of each step, and `test_NAME` for each figure of the
    /// evaluations of this process.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn write_report(
        &self,
        path: impl AsRef<Path>,
        device: &Device,
        plan: &Plan,
        started: Instant,
    ) -> Result<()> {
        let adapter = device.summary();
        let bytes = plan.device_bytes();
        let mut by_kind: Map<String, Value> =
            bytes.iter().map(|(kind, bytes)| (kind.name().into(), json!(bytes))).collect();
        by_kind.insert("total".into(), json!(bytes.values().sum::<u64>()));
        let (steps, first) = (self.losses.len(), self.first_step_at);
        let each = |count: u64| json!(count as f64 / steps.max(1) as f64);
        let mut fields: Vec<(String, Value)> = vec![
            ("adapter".into(), json!(adapter.name)),
            ("backend".into(), json!(adapter.backend)),
            ("driver".into(), json!(adapter.driver)),
            ("software".into(), json!(adapter.software)),
            ("batch_size".into(), json!(self.batch_size)),
            ("steps".into(), json!(steps)),
            (format!("{}_per_second", self.unit), json!(self.samples_per_second)),
            ("seconds_to_first_step".into(), json!(first.map(|at| (at - started).as_secs_f64()))),
            ("dispatches_per_step".into(), each(self.counters.dispatches)),
            ("submits_per_step".into(), each(self.counters.submits)),
            ("bytes_sent_per_step".into(), each(self.exchanged.bytes_sent)),
            ("seconds_exchanging".into(), json!(self.exchanged.time.as_secs_f64())),
            ("device_bytes".into(), json!(by_kind)),
            ("losses".into(), json!(self.losses)),
        ];
        let evaluations = self.epochs.iter().filter(|epoch| epoch.steps > self.first_step);
        let evaluations = evaluations.filter_map(|epoch| epoch.evaluation.as_ref());
        let evaluations: Vec<_> = evaluations.chain(&self.evaluated).collect();
        if let Some(evaluation) = evaluations.first() {
            for name in
                std::iter::once("loss").chain(evaluation.figures.iter().map(|(name, _)| name.as_str()))
            {
                let figures: Vec<_> = evaluations.iter().map(|evaluation| evaluation.figure(name)).collect();
                fields.push((format!("test_{name}"), json!(figures)));
            }
        }
        // One field per line, so that a person can read it and thousands of losses stay on one line.
        let lines: Vec<String> =
            fields.iter().map(|(name, value)| format!("  {}: {value}", json!(name))).collect();
        file::write_whole(path.as_ref(), format!("{{\n{}\n}}\n", lines.join(",\n")).as_bytes())
    }
}
