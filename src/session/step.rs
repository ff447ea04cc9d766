//! Steps: the prebuilt dispatches, encoded and submitted. One step or several go in one submission, unless the plan says
//! that it would take a GPU too long.

use super::upload::At;
use super::{IN_FLIGHT, InFlight, Session, watch};
use crate::error::{Error, Result};
use crate::plan::Submit;
use std::ops::Range;
use std::time::Duration;

/// Steps in one submission at the most, which bounds the staging memory for their numbers and inputs.
const TOGETHER: u32 = 64;

/// A part of a step that is submitted whole.
struct Piece {
    dispatches: Range<usize>,
    /// Steps of this submission that end before it.
    before: u64,
}

impl Session {
    /// Runs the step: one encoder, one submit, nothing read back. Returns before the GPU is done. A step that could run
    /// into a GPU driver's time limit is submitted in several parts
    /// ([`PlanOptions::longest_submit`](crate::PlanOptions::longest_submit)).
    ///
    /// # Errors
    /// A fault of the device; a step in flight that takes longer than the limit of
    /// [`Device::set_wait_limit`](crate::Device::set_wait_limit); a step after the last number, 2^32 - 2. Then the step
    /// was not run and does not count. If a later part of a step can't be submitted, the weights hold a part of it, and
    /// saving them is refused.
    pub fn step(&mut self) -> Result<()> {
        self.run(1)
    }

    /// Runs `steps` steps in one submission, or in several of up to 64, with the bits of as many calls of [`Session::step`].
    /// The host's work for a submission is then done once, which helps small networks on fast GPUs.
    ///
    /// [`Session::write_ahead`] gives inputs their contents for each of the steps. Other inputs keep theirs. Contents for
    /// later steps stay for the next call.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// # use wgrad::{Result, Session, Value};
    /// # fn train(session: &mut Session, images: Value, labels: Value, batches: &[(Vec<f32>, Vec<i32>)]) -> Result<()> {
    /// for eight in batches.chunks(8) {
    ///     for (pixels, classes) in eight {
    ///         session.write_ahead(images, pixels)?;
    ///         session.write_ahead(labels, classes)?;
    ///     }
    ///     session.run(eight.len())?;
    /// }
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::step`]; an input that was written ahead for some of the steps and not for all, or for fewer steps than
    /// another input. Then no step was run. Where the steps take several submissions and a later one fails, the steps before it were run and count.
    pub fn run(&mut self, steps: usize) -> Result<()> {
        let mut left = self.checked(steps)?;
        while left > 0 {
            left -= self.submit_together(left)?;
        }
        Ok(())
    }

    /// [`Session::step`] without blocking: where three submissions are in flight, it awaits the end of the oldest. A
    /// [`Session::write`] that follows has staging memory then, so a loop of both never blocks its thread.
    ///
    /// ```no_run
    /// # use wgrad::{Result, Session, Value};
    /// # async fn train(session: &mut Session, images: Value, batches: &[Vec<f32>]) -> Result<()> {
    /// for pixels in batches {
    ///     session.write(images, pixels)?;
    ///     session.step_async().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// If the future is dropped before it is done, the step was not run.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub async fn step_async(&mut self) -> Result<()> {
        self.run_async(1).await
    }

    /// [`Session::run`] without blocking. If the future is dropped before it is done, the steps of whole submissions were
    /// run and count.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn run_async(&mut self, steps: usize) -> Result<()> {
        let mut left = self.checked(steps)?;
        while left > 0 {
            self.wait_for_room_async().await?;
            left -= self.submit_together(left)?;
        }
        Ok(())
    }

    /// So many steps, if they can be run now.
    fn checked(&self, steps: usize) -> Result<u32> {
        let steps = u32::try_from(steps).map_err(|_| Error::Setting {
            setting: "steps",
            message: format!("{steps} are more than there are numbers for, {}", u32::MAX),
        })?;
        self.check_steps(steps)?;
        Ok(steps)
    }

    /// Submits as many of these steps as go together, and returns how many those are.
    fn submit_together(&mut self, left: u32) -> Result<u32> {
        let together = left.min(self.uploads.together(TOGETHER));
        self.begin(together)?;
        self.submit_steps(together)?;
        Ok(together)
    }

    /// Submits steps whose inputs and numbers are written.
    fn submit_steps(&mut self, steps: u32) -> Result<()> {
        let limit = self.plan.longest_submit().unwrap_or(Duration::MAX);
        let (mut pieces, mut ended, mut taken) = (Vec::new(), 0, Duration::ZERO);
        for _ in 0..steps {
            for part in 0..self.plan.submits().len() {
                let Submit { dispatches, longest } = self.plan.submits()[part].clone();
                if taken.saturating_add(longest) > limit && !pieces.is_empty() {
                    self.submit_pieces(&pieces)?;
                    pieces.clear();
                    (ended, taken) = (0, Duration::ZERO);
                }
                taken = taken.saturating_add(longest);
                let ends = dispatches.end == self.plan.dispatches().len();
                pieces.push(Piece { dispatches, before: ended });
                ended += u64::from(ends);
            }
        }
        self.submit_pieces(&pieces)
    }

    fn submit_pieces(&mut self, pieces: &[Piece]) -> Result<()> {
        let all = self.plan.dispatches().len();
        self.submit(|session| {
            for Piece { dispatches, before } in pieces {
                if dispatches.start == 0 {
                    session.encode_inputs();
                }
                session.encode(dispatches.clone());
                if dispatches.end == all {
                    session.encode_records(*before);
                }
            }
        })?;
        for piece in pieces {
            if piece.dispatches.end == all {
                self.count_step();
            } else {
                self.partly = true;
            }
        }
        if let (Some(last), false) = (self.in_flight.back_mut(), self.partly) {
            last.step = self.step - 1;
        }
        Ok(())
    }

    /// Fails if so many steps can't be run now.
    pub(super) fn check_steps(&self, steps: u32) -> Result<()> {
        self.device.check()?;
        self.check_whole()?;
        if steps > u32::MAX - self.step {
            return Err(Error::Setting {
                setting: "step_number",
                message: format!(
                    "there is no step after number {}; start from the weights with another step number",
                    u32::MAX - 1
                ),
            });
        }
        self.uploads.check_written(&self.plan)?;
        self.uploads.check_ahead(&self.plan, steps as usize)
    }

    /// Waits until steps may be submitted, and writes their numbers.
    pub(super) fn begin(&mut self, steps: u32) -> Result<()> {
        self.check_steps(steps)?;
        self.wait_for_room()?;
        for ahead in 0..steps {
            self.write_numbers(self.step + ahead, ahead)?;
        }
        Ok(())
    }

    /// [`Session::begin`] without blocking.
    pub(super) async fn begin_async(&mut self, steps: u32) -> Result<()> {
        self.check_steps(steps)?;
        self.wait_for_room_async().await?;
        self.begin(steps)
    }

    /// Waits until there is room for a submission. On an app's device it never waits: the app sets the pace.
    pub(super) fn wait_for_room(&mut self) -> Result<()> {
        while self.in_flight.len() >= IN_FLIGHT
            && let Some(oldest) = self.in_flight.front()
        {
            if self.device.polls() {
                let waited = self.device.wait_for(Some(oldest.index.clone()), Some(&oldest.done));
                waited.map_err(|e| e.of_step(Some(oldest.step)))?;
            }
            self.in_flight.pop_front();
        }
        Ok(())
    }

    /// [`Session::wait_for_room`] without blocking; it waits for the app's polling, or the browser, too.
    async fn wait_for_room_async(&mut self) -> Result<()> {
        self.device.wait_to_submit().await.map_err(|e| e.of_step(self.last_step()))?;
        while self.in_flight.len() >= IN_FLIGHT
            && let Some(oldest) = self.in_flight.front()
        {
            let waited = self.device.wait_for_async(Some(oldest.index.clone()), Some(&oldest.done));
            waited.await.map_err(|e| e.of_step(Some(oldest.step)))?;
            self.in_flight.pop_front();
        }
        Ok(())
    }

    /// Writes the number that the nodes of a step see, for the step after `ahead` others.
    pub(super) fn write_numbers(&mut self, number: u32, ahead: u32) -> Result<()> {
        if let Some(value) = self.plan.graph().counted_steps() {
            let bytes = bytemuck::bytes_of(&number);
            self.counters.bytes_uploaded +=
                self.uploads.write(&self.device, value, bytes, At::Step(ahead as usize))?;
        }
        self.begin_watch(ahead)
    }

    /// Submits the rest of the step, from dispatch number `next` on, and counts the step.
    pub(super) fn complete(&mut self, next: usize) -> Result<()> {
        let all = self.plan.dispatches().len();
        let mut next = next;
        for part in 0..self.plan.submits().len() {
            let end = self.plan.submits()[part].dispatches.end;
            if next < end && end < all {
                self.submit_part(|session| session.encode(next..end))?;
                next = end;
            }
        }
        self.submit(|session| {
            session.encode(next..all);
            session.encode_records(0);
        })?;
        self.count_step();
        Ok(())
    }

    pub(super) fn count_step(&mut self) {
        self.counters.steps += 1;
        self.records.iter_mut().for_each(|record| record.count += 1);
        self.watch.iter_mut().for_each(watch::Watch::count_run);
        self.go_on_from(self.step + 1);
    }

    /// Encodes these dispatches, in the plan's passes.
    pub(super) fn encode(&mut self, dispatches: Range<usize>) {
        let mut next = dispatches.start;
        while next < dispatches.end {
            let passes = self.plan.passes();
            let pass = &passes[passes.partition_point(|pass| pass.end <= next)];
            let end = pass.end.min(dispatches.end);
            self.encode_timed(next..end, None);
            next = end;
        }
    }

    /// Encodes these dispatches as one pass, which may write timestamps at its start and end.
    pub(super) fn encode_timed(
        &mut self,
        dispatches: Range<usize>,
        timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>,
    ) {
        self.counters.dispatches += dispatches.len() as u64;
        let encoder = self.uploads.encoder(&self.device);
        let mut pass =
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
        let mut set = None;
        for i in dispatches {
            let [x, y, z] = self.plan.dispatches()[i].workgroups;
            let pipeline = self.pipelines.pipeline(i);
            if set != Some(pipeline) {
                pass.set_pipeline(pipeline);
                set = Some(pipeline);
            }
            pass.set_bind_group(0, &self.bind_groups[i], &[]);
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// Encodes what comes before a step's dispatches: the start of the numerics watch, and the contents of inputs.
    pub(super) fn encode_inputs(&mut self) {
        self.encode_watch_start();
        let device = self.device.clone();
        self.uploads.encode(&device, &self.buffers);
    }

    /// Submits what `encode` adds. An error of the driver is returned to this session; then none of it was run.
    pub(super) fn submit(&mut self, encode: impl FnOnce(&mut Session)) -> Result<()> {
        let device = self.device.clone();
        let starts = self.watch.as_ref().is_some_and(watch::Watch::is_due);
        let submitted = device.guarded(|_| {
            encode(self);
            self.uploads.submit(&device)
        });
        if submitted.is_err() && starts {
            self.watch.iter_mut().for_each(watch::Watch::start_again);
        }
        let index = submitted?;
        self.counters.submits += 1;
        let done = device.signal_of_work();
        self.in_flight.push_back(InFlight { index, step: self.step, done });
        Ok(())
    }

    /// Submits a part of the step. [`Session::complete`] has to follow.
    pub(super) fn submit_part(&mut self, encode: impl FnOnce(&mut Session)) -> Result<()> {
        self.submit(encode)?;
        self.partly = true;
        Ok(())
    }
}
