//! Training over several ranks, each with a device of its own, or over several micro-batches on one.
//!
//! `mod`: the step. `options`: how it is shared, and what was sent. `reduction`: what it sums on the device. `scalars`: losses and counts. `staging`: host memory of what
//! ranks exchange. `lockstep`: micro-batches that meet on the way, for synchronised statistics. `identity`: what has to be
//! alike on all ranks. The order of sums and the ranks themselves are in
//! [`parallel`](crate::parallel).

mod identity;
mod lockstep;
mod options;
mod reduction;
mod scalars;
mod staging;
#[cfg(test)]
mod tests;

use super::{InFlight, Session, watch};
use crate::error::{Error, Result};
use crate::parallel::{Communicator, Sum, agree, shares};
use lockstep::Lockstep;
pub use options::{Exchanged, ParallelOptions};
use reduction::{Piece, Reduction};
use scalars::Scalars;
use std::fmt;
use std::ops::Range;
use std::time::Instant;

/// A session whose steps are over a batch of several micro-batches, which one or several ranks share.
///
/// The session's graph is that of one micro-batch, with its optimizer. A step runs it for each micro-batch up to its
/// gradients, sums these over all micro-batches of all ranks, and updates the parameters once, by the mean. The sum has the
/// order of a tree over micro-batches ([`parallel`](crate::parallel)), so 1, 2, 4 or 8 ranks on adapters of one kind come to
/// the same weights to the bit.
///
/// - Every rank has all parameters. What has to be alike is compared at the start: adapter, graph, kernels, weights, step
///   number and more.
/// - Dropout, augmentation and all other random numbers follow from the number of the micro-batch over all steps.
/// - Batch norm normalises each micro-batch by itself, as PyTorch's does without `SyncBatchNorm`, unless the graph was built
///   otherwise ([`Graph::synchronized_statistics`](crate::Graph::synchronized_statistics)). Running statistics, and
///   all other state that is not an optimizer's, start from the same contents in each micro-batch of a step; afterwards they
///   are the mean of what the micro-batches make of them.
/// - After a step, outputs of one element hold the mean over all micro-batches ([`ParallelOptions::sums`]). Other outputs
///   are those of this rank's last micro-batch.
/// - Gradients are exchanged in buckets while the backward pass of the last micro-batch goes on ([`Plan::buckets`]).
///
/// [`Plan::buckets`]: crate::Plan::buckets
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::parallel::{Communicator, Threads};
/// use wgrad::session::{DataParallel, ParallelOptions};
/// # use wgrad::{Device, Plan, Session, Weights, Value};
/// # fn batch(number: usize) -> Vec<f32> { Vec::new() }
/// # fn f(g: &wgrad::Graph, images: Value, loss: Value) -> wgrad::Result<()> {
/// let micro_batches = 8;
/// let devices = Device::open_all()?;
/// Threads::run(devices.len(), |rank| {
///     let device = &devices[rank.rank()];
///     let weights = Weights::init(device, g, 42)?;
///     let session = Session::new(device, Plan::new(g, &[loss], device.caps())?, &weights)?;
///     let mut training = DataParallel::new(session, rank, &ParallelOptions::new(micro_batches))?;
///     for step in 0..100 {
///         training.step(|session, micro_batch| {
///             session.write(images, &batch(step * micro_batches + micro_batch))
///         })?;
///     }
///     Ok(())
/// })?;
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
pub struct DataParallel {
    session: Session,
    ranks: Box<dyn Communicator>,
    micro_batches: usize,
    share: Range<usize>,
    /// Micro-batches of this rank that the step that goes on has run.
    turn: usize,
    /// If micro-batches meet on the way.
    lockstep: Option<Lockstep>,
    reduction: Reduction,
    /// A sum over ranks for each bucket, and memory for the largest.
    sums: Vec<Sum>,
    data: Vec<f32>,
    received: Vec<f32>,
    exchanged: Exchanged,
}

impl fmt::Debug for DataParallel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataParallel")
            .field("ranks", &self.ranks)
            .field("micro_batches", &self.micro_batches)
            .field("share", &self.share)
            .field("exchanged", &self.exchanged)
            .finish_non_exhaustive()
    }
}

impl DataParallel {
    /// Shares the steps of `session` with the other ranks, which do the same at the same time.
    ///
    /// # Errors
    /// A number of ranks that is no power of two or does not divide the number of micro-batches; a graph without an
    /// optimizer, or with other nodes behind it; gradients of f16 (see [`PlanOptions::f32_gradients`]); an output of one
    /// element that is neither f32 nor u32; ranks that are not alike, by name; not enough memory; those of the communicator.
    ///
    /// [`PlanOptions::f32_gradients`]: crate::PlanOptions::f32_gradients
    pub fn new(
        mut session: Session,
        ranks: impl Communicator + 'static,
        options: &ParallelOptions,
    ) -> Result<DataParallel> {
        let mut ranks: Box<dyn Communicator> = Box::new(ranks);
        let (rank, count) = (ranks.rank(), ranks.ranks());
        let share = shares(rank, count, options.micro_batches)?;
        if let Some(gradient) = session.plan.gradient_in_f16() {
            let name = session.plan.graph().info(gradient).name.clone();
            let message =
                "is f16, and micro-batches add gradients in f32; plan with PlanOptions::f32_gradients".into();
            return Err(Error::Value { name, message });
        }
        let buckets = session.plan.buckets(options.bucket_bytes.max(1))?;
        if count > 1 {
            // Weights differ where something else does, which is then told.
            let mut alike: Vec<(&str, String)> =
                options.alike.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
            alike.extend(identity::items(&mut session, options)?);
            agree(&mut *ranks, &alike)?;
        }
        let numbers = [share.len(), options.micro_batches];
        let lockstep = Lockstep::new(&session, &*ranks, numbers)?;
        let scalars = Scalars::new(&session, &options.sums)?;
        let reduction = Reduction::new(&session, &buckets, scalars, numbers, count > 1)?;
        // The first bucket goes with the step's number.
        let of_bucket = |(number, bucket): (usize, &reduction::Bucket)| {
            Sum::new(rank, count, bucket.elements() + usize::from(number == 0))
        };
        let sums = reduction.buckets.iter().enumerate().map(of_bucket).collect::<Result<Vec<Sum>>>()?;
        let (mut data, mut received) = (Vec::new(), Vec::new());
        if count > 1 {
            let most = reduction.buckets.iter().map(reduction::Bucket::elements).max().unwrap_or(0) + 1;
            crate::memory::reserve(&mut data, most, "gradients to exchange")?;
            data.resize(most, 0.0);
            let most = sums.iter().map(Sum::received).max().unwrap_or(0);
            crate::memory::reserve(&mut received, most, "gradients of other ranks")?;
            received.resize(most, 0.0);
        }
        Ok(DataParallel {
            session,
            ranks,
            micro_batches: options.micro_batches,
            share,
            turn: 0,
            lockstep,
            reduction,
            sums,
            data,
            received,
            exchanged: Exchanged::default(),
        })
    }

    /// The session, to read from it, to record values and to save checkpoints. A step of its own, past the other ranks,
    /// would part it from them.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The ranks.
    pub fn ranks(&mut self) -> &mut dyn Communicator {
        &mut *self.ranks
    }

    /// The micro-batches of a step that this rank runs.
    pub fn micro_batches(&self) -> Range<usize> {
        self.share.clone()
    }

    /// What was exchanged so far.
    pub fn exchanged(&self) -> Exchanged {
        self.exchanged
    }

    /// Bytes that this rank sends in a step.
    pub fn bytes_per_step(&self) -> u64 {
        let means = self.lockstep.as_ref().map_or(0, Lockstep::bytes_per_step);
        self.sums.iter().map(Sum::sent_bytes).sum::<u64>() + means
    }

    /// The buckets in which gradients are exchanged: bytes of each, the last with running statistics and losses.
    pub fn buckets(&self) -> Vec<u64> {
        self.reduction.buckets.iter().map(|bucket| 4 * bucket.elements() as u64).collect()
    }

    /// Hands session and ranks back.
    pub fn into_parts(self) -> (Session, Box<dyn Communicator>) {
        (self.session, self.ranks)
    }

    /// Runs a step on all ranks. `write` gives the session's inputs the contents of a micro-batch of this step, by its
    /// number; inputs that it does not write keep theirs. Returns once gradients are exchanged, before the device has
    /// updated the parameters; without other ranks at once.
    ///
    /// # Errors
    /// Those of `write`, which leave this rank as it was before the step; as [`Session::step`]; a rank that is gone or does
    /// not answer. Where ranks stop within a step their weights hold a part of it, and saving them is refused.
    pub fn step(&mut self, mut write: impl FnMut(&mut Session, usize) -> Result<()>) -> Result<()> {
        loop {
            let micro_batch = self.share.start + self.turn();
            if self.micro_batch(|session| write(session, micro_batch))? {
                return Ok(());
            }
        }
    }

    /// Runs the next micro-batch of this rank, which `write` writes: for programs whose data come one after the other.
    /// With the last one the step is completed as by [`DataParallel::step`]; then the result is `true`.
    ///
    /// # Errors
    /// As [`DataParallel::step`]. After an error of `write` the step begins anew.
    pub fn micro_batch(&mut self, write: impl FnOnce(&mut Session) -> Result<()>) -> Result<bool> {
        let first = u64::from(self.session.step) * self.micro_batches as u64;
        if first + self.micro_batches as u64 > u64::from(u32::MAX) {
            return Err(Error::Setting {
                setting: "step_number",
                message: format!(
                    "step {} of {} micro-batches has no numbers left, which end at 2^32 - 1",
                    self.session.step, self.micro_batches
                ),
            });
        }
        let meets = self.lockstep.is_some();
        let turn = self.turn();
        self.turn = 0;
        let others = self.lockstep.as_mut().map(|lockstep| &mut lockstep.others[..]);
        let session = match others {
            Some(others) if turn > 0 => &mut others[turn - 1],
            _ => &mut self.session,
        };
        let mut written = write(session);
        if turn == 0 || meets {
            written = written.and_then(|()| session.check_steps(1));
        }
        if let Err(error) = written {
            if turn > 0 && !meets {
                let reduction = &self.reduction;
                self.session.submit(|session| reduction.encode_undo(session))?;
                self.session.partly = false;
            }
            return Err(error);
        }
        if !meets {
            self.run(turn, (first + (self.share.start + turn) as u64) as u32)?;
        }
        if turn + 1 < self.share.len() {
            self.turn = turn + 1;
            return Ok(false);
        }
        if meets {
            self.run_together((first + self.share.start as u64) as u32)?;
        }
        self.exchange()?;
        self.update()?;
        Ok(true)
    }

    /// The place of the next micro-batch among this rank's.
    fn turn(&self) -> usize {
        // A checkpoint that was loaded meanwhile left nothing of a step that was begun.
        if self.lockstep.is_some() || self.session.partly { self.turn } else { 0 }
    }

    /// Runs a micro-batch up to its gradients, as number `number` of all, and adds them to the sum so far.
    fn run(&mut self, turn: usize, number: u32) -> Result<()> {
        let is_last = turn + 1 == self.share.len();
        let (session, reduction) = (&mut self.session, &mut self.reduction);
        session.wait_for_room()?;
        session.write_numbers(number, 0)?;
        for piece in 0..reduction.pieces[usize::from(is_last)].len() {
            let Piece { dispatches, complete } = &reduction.pieces[usize::from(is_last)][piece];
            let turn = &reduction.turns[turn];
            session.submit_part(|session| {
                if dispatches.start == 0 {
                    reduction.encode_start(session, turn);
                    session.encode_inputs();
                }
                session.encode(dispatches.clone());
                if dispatches.end == reduction.first_update {
                    reduction.scalars.encode_take(session);
                }
                for &bucket in complete {
                    reduction.encode_adds(session, bucket, turn);
                    if is_last {
                        reduction.encode_download(session, bucket);
                    }
                }
                if dispatches.end == reduction.first_update && !is_last {
                    session.encode_watch();
                }
            })?;
            if let Some(InFlight { index, .. }) = session.in_flight.back().filter(|_| is_last) {
                let buckets = &mut reduction.buckets;
                for &bucket in complete {
                    let staging = buckets[bucket].staging.as_mut();
                    staging.into_iter().for_each(|staging| staging.map_read(index.clone()));
                }
            }
        }
        if !is_last {
            session.watch.iter_mut().for_each(watch::Watch::count_run);
        }
        Ok(())
    }

    /// Runs all micro-batches of this rank side by side, as number `first` of all and those behind it, and adds up their
    /// gradients.
    fn run_together(&mut self, first: u32) -> Result<()> {
        let (session, reduction) = (&mut self.session, &mut self.reduction);
        let Some(lockstep) = &mut self.lockstep else { return Ok(()) };
        lockstep.run(session, &mut *self.ranks, first, reduction.first_update)?;
        let (bytes, time) = std::mem::take(&mut lockstep.sent);
        self.exchanged.bytes_sent += bytes;
        self.exchanged.time += time;
        let last = reduction.turns.len() - 1;
        for (number, turn) in reduction.turns.clone().iter().enumerate() {
            session.submit_part(|session| {
                reduction.encode_start(session, turn);
                if number > 0 {
                    reduction.encode_copy(session, &lockstep.others[number - 1]);
                }
                reduction.scalars.encode_take(session);
                for bucket in 0..reduction.buckets.len() {
                    reduction.encode_adds(session, bucket, turn);
                    if number == last {
                        reduction.encode_download(session, bucket);
                    }
                }
            })?;
        }
        if let Some(InFlight { index, .. }) = session.in_flight.back() {
            for bucket in &mut reduction.buckets {
                bucket.staging.iter_mut().for_each(|staging| staging.map_read(index.clone()));
            }
        }
        Ok(())
    }

    /// Sums each bucket over all ranks, as soon as it is complete.
    fn exchange(&mut self) -> Result<()> {
        let step = self.session.last_step();
        let device = self.session.device.clone();
        // What a sum over ranks holds exactly.
        let step_number = (self.session.step & 0xffff) as f32;
        for (number, (bucket, sum)) in self.reduction.buckets.iter_mut().zip(&self.sums).enumerate() {
            let elements = bucket.elements();
            let Some(staging) = &mut bucket.staging else { continue };
            staging.take(&device, &mut self.data[..elements]).map_err(|e| e.of_step(step))?;
            self.data[elements] = step_number;
            let start = Instant::now();
            let data = &mut self.data[..elements + usize::from(number == 0)];
            sum.run(&mut *self.ranks, data, &mut self.received)?;
            self.exchanged.time += start.elapsed();
            self.exchanged.bytes_sent += sum.sent_bytes();
            if number == 0 && self.data[elements] != step_number * self.ranks.ranks() as f32 {
                return Err(Error::Parallel(format!(
                    "not all ranks are at step {}; let all of them run every step, and load the same checkpoint",
                    self.session.step
                )));
            }
            staging.give(&device, &self.data[..elements])?;
            self.session.counters.bytes_read_back += 4 * elements as u64;
            self.session.counters.bytes_uploaded += 4 * elements as u64;
        }
        Ok(())
    }

    /// Makes means of the sums, and updates by them.
    fn update(&mut self) -> Result<()> {
        let (session, reduction) = (&mut self.session, &self.reduction);
        session.wait_for_room()?;
        session.write_numbers(session.step, 0)?;
        session.submit_part(|session| {
            reduction.encode_end(session);
            reduction.scalars.encode_give(session);
            session.encode_inputs();
        })?;
        for bucket in &mut self.reduction.buckets {
            bucket.staging.iter_mut().for_each(staging::Staging::map_write);
        }
        self.session.complete(self.reduction.first_update)?;
        let step = self.session.step;
        self.lockstep.iter_mut().for_each(|lockstep| lockstep.go_on_from(step));
        self.exchanged.steps += 1;
        Ok(())
    }
}
