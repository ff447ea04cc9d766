//! The numerics watch of a session: scans the tensors that the plan left for the end of a step, keeps the
//! first finding on the device, and describes it on request.
//!
//! A step reads nothing back. Where the session reads something else back, the report comes with it.

mod finding;
mod scans;

pub use scans::kernels;

use super::upload::At;
use super::{Counters, Session};
use crate::device::{Buffer, Device};
use crate::error::{Error, Result};
use crate::graph::Value;
use crate::not_finite::NotFinite;
use crate::plan::{Plan, REPORT_WORDS};
use crate::tensor::HostSlice;
use crate::weights::Weights;
use scans::Scans;
use std::collections::BTreeMap;

/// The most changes of an input, between finite and not finite, that are remembered.
const MOST_CHANGES: usize = 1024;

/// Elements of an input that were not finite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Held {
    elements: usize,
    position: usize,
}

/// The watch of a session.
#[derive(Debug)]
pub(super) struct Watch {
    scans: Scans,
    counts: Buffer,
    report: Buffer,
    /// Steps since it was last reset.
    run: u32,
    /// By input: the runs from which on it held elements that were not finite, or none any more.
    inputs: BTreeMap<Value, Vec<(u32, Option<Held>)>>,
    /// The report's first words, and the run after which they were read.
    known: Option<(u32, Vec<u32>)>,
    /// Whether the next submission has to clear the findings and scan the weights.
    is_due: bool,
    least_bits: u32,
}

impl Watch {
    pub(super) fn new(
        device: &Device,
        plan: &Plan,
        weights: &Weights,
        buffers: &[Buffer],
    ) -> Result<Option<Watch>> {
        let Some(watching) = &plan.watching else { return Ok(None) };
        Ok(Some(Watch {
            scans: Scans::new(device, plan, weights, buffers)?,
            counts: buffers[watching.counts].clone(),
            report: buffers[watching.report].clone(),
            run: 0,
            inputs: BTreeMap::new(),
            known: None,
            is_due: true,
            least_bits: watching.least_bits as u32,
        }))
    }

    /// Checks data written to an input, for the step after `ahead` others.
    pub(super) fn look_at(&mut self, value: Value, data: HostSlice<'_>, ahead: usize) {
        let HostSlice::F32(data) = data else { return };
        let least = self.least_bits;
        let counts = |x: &f32| x.to_bits() & 0x7fff_ffff >= least;
        let elements = data.iter().filter(|x| counts(x)).count();
        let position = if elements == 0 { None } else { data.iter().position(counts) };
        let held = position.map(|position| Held { elements, position });
        let changes = self.inputs.entry(value).or_default();
        let first = (self.run + 1).saturating_add(u32::try_from(ahead).unwrap_or(u32::MAX));
        // Contents that are overwritten before a step were never read.
        while changes.pop_if(|&mut (run, _)| run >= first).is_some() {}
        let changed = held != changes.last().and_then(|&(_, held)| held);
        if changed && (held.is_none() || changes.len() < MOST_CHANGES) {
            changes.push((first, held));
        }
    }

    /// Non-finite elements of an input in a run.
    fn held(&self, input: Value, run: u32) -> Option<Held> {
        let changes = self.inputs.get(&input)?;
        changes.iter().rev().find(|&&(from, _)| from <= run)?.1
    }

    /// Whether the report was read after the last step, or there was no step.
    fn is_known(&self) -> bool {
        self.is_due || self.known.as_ref().is_some_and(|&(run, _)| run == self.run)
    }

    /// Whether the next submission begins the watch.
    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Notes that the submission with the watch's start failed.
    pub(super) fn start_again(&mut self) {
        self.is_due = true;
    }

    /// Counts a step.
    pub(super) fn count_run(&mut self) {
        self.run = self.run.saturating_add(1);
    }
}

/// Reads parts of buffers and, in the same submission, the watch's report.
pub(super) async fn read(
    device: &Device,
    watch: &mut Option<Watch>,
    counters: &mut Counters,
    parts: &[(&Buffer, u64, u64)],
) -> Result<Vec<Vec<u8>>> {
    let Some(watch) = watch.as_mut().filter(|watch| !watch.is_known()) else {
        return device.read_async(parts).await;
    };
    let report = watch.report.clone();
    let mut parts = parts.to_vec();
    parts.push((&report, 0, 4 * REPORT_WORDS));
    let mut read = device.read_async(&parts).await?;
    let words = read.pop().map(|bytes| bytemuck::pod_collect_to_vec(&bytes));
    counters.bytes_read_back += 4 * REPORT_WORDS;
    watch.known = words.map(|words| (watch.run, words));
    Ok(read)
}

impl Session {
    /// What the numerics watch ([`PlanOptions::watch`](crate::PlanOptions::watch)) has found since the
    /// session was made or the watch was reset: the first step with anything that was not finite, and in it
    /// the first node in the graph's order. Waits for the GPU, except right after a call that read something
    /// back, such as [`Session::recorded`].
    ///
    /// It looks at parameters and state before the first step, at inputs as they are written, and at each
    /// node's outputs. For fused operators it names the fused node. It does not see values that a fused
    /// kernel never stores: between batch norm and max pooling, and between the elements of a loss and their
    /// sum. A `-inf` that arises and vanishes there is not found.
    ///
    /// # Errors
    /// A plan without a watch; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn not_finite(&mut self) -> Result<Option<NotFinite>> {
        crate::device::block_on(self.not_finite_async())
    }

    /// [`Session::not_finite`] without blocking.
    ///
    /// # Errors
    /// As [`Session::not_finite`].
    pub async fn not_finite_async(&mut self) -> Result<Option<NotFinite>> {
        let counters = &mut self.counters;
        let Some(watch) = &self.watch else {
            return Err(Error::Setting {
                setting: "watch",
                message: "the session's plan has no numerics watch; make it with PlanOptions::watch".into(),
            });
        };
        self.device.check()?;
        if watch.is_due {
            return Ok(None);
        }
        let last_step = self.in_flight.back().map(|last| last.step);
        if !watch.is_known() {
            read(&self.device, &mut self.watch, counters, &[]).await.map_err(|e| e.of_step(last_step))?;
            counters.allocations += 1;
        }
        let (Some(watch), Some(watching)) = (&self.watch, &self.plan.watching) else { return Ok(None) };
        match &watch.known {
            Some((_, report)) if report[2] != 0 => {}
            _ => return Ok(None),
        }
        let bytes = 4 * (REPORT_WORDS + watching.watched.len() as u64);
        let read = self.device.read_async(&[(&watch.report, 0, bytes)]).await;
        let report = read.map_err(|e| e.of_step(last_step))?.remove(0);
        counters.bytes_read_back += bytes;
        counters.allocations += 1;
        let report: Vec<u32> = bytemuck::pod_collect_to_vec(&report);
        Ok(Some(finding::describe(&self.plan, watch, &report)))
    }

    /// Fails if [`Session::not_finite`] finds anything. Call it where losses are read, and before a
    /// checkpoint is written.
    ///
    /// # Errors
    /// [`Error::NotFinite`]; as [`Session::not_finite`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn check_finite(&mut self) -> Result<()> {
        crate::device::block_on(self.check_finite_async())
    }

    /// [`Session::check_finite`] without blocking.
    ///
    /// # Errors
    /// As [`Session::check_finite`].
    pub async fn check_finite_async(&mut self) -> Result<()> {
        match self.not_finite_async().await? {
            None => Ok(()),
            Some(found) => Err(Error::NotFinite(Box::new(found))),
        }
    }

    /// Resets the numerics watch, for example after weights were loaded. Does nothing without one.
    pub fn reset_watch(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        // Inputs keep their contents.
        for changes in watch.inputs.values_mut() {
            let ahead = changes.split_off(changes.partition_point(|&(run, _)| run <= watch.run));
            let held = changes.pop().and_then(|(_, held)| held);
            changes.clear();
            changes.extend(held.map(|held| (1, Some(held))));
            for (run, held) in ahead {
                let run = run - watch.run;
                changes.pop_if(|&mut (before, _)| before == run);
                changes.push((run, held));
            }
        }
        (watch.run, watch.known, watch.is_due) = (0, None, true);
    }

    /// Uploads the number of the step after `ahead` others for the watch.
    pub(super) fn begin_watch(&mut self, ahead: u32) -> Result<()> {
        let Some(watch) = &self.watch else { return Ok(()) };
        let numbers = [self.step + ahead, watch.run.saturating_add(1).saturating_add(ahead)];
        let at = At::Step(ahead as usize);
        self.counters.bytes_uploaded += self.uploads.write_watch(&self.device, numbers, at)?;
        Ok(())
    }

    /// Encodes the watch's start, before the uploads of the first step.
    pub(super) fn encode_watch_start(&mut self) {
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.is_due) else { return };
        watch.is_due = false;
        let encoder = self.uploads.encoder(&self.device);
        encoder.clear_buffer(&watch.counts.raw, 0, None);
        encoder.clear_buffer(&watch.report.raw, 0, None);
        self.counters.dispatches += watch.scans.encode_before(encoder);
    }

    /// Encodes the watch's part of a step, after all others.
    pub(super) fn encode_watch(&mut self) {
        let Some(watch) = &self.watch else { return };
        self.counters.dispatches += watch.scans.encode_after(self.uploads.encoder(&self.device));
    }
}
