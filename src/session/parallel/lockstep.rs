//! Steps in which micro-batches meet on the way: a rank runs its micro-batches side by side, each in memory of its own, up
//! to the next mean over all of them, and goes on with that.

use super::reduction::{ADD, MEAN, Prepared, bound, encode, pipelines, prepare};
use super::staging::Staging;
use crate::device::{Buffer, Pipelines};
use crate::error::{Error, Result};
use crate::op::ALIGNMENT;
use crate::parallel::{Communicator, Join, Joins, Sum};
use crate::plan::Meeting;
use crate::session::{InFlight, Session, watch};
use std::ops::Range;
use std::time::{Duration, Instant};

/// What the micro-batches of a rank need to meet.
#[derive(Debug)]
pub(super) struct Lockstep {
    /// The sessions of all micro-batches but the first, over the same weights.
    pub others: Vec<Session>,
    meetings: Vec<Meeting>,
    /// For each micro-batch: its part of a mean. The sum grows in the first.
    parts: Vec<Buffer>,
    pipelines: Pipelines,
    adds: Vec<Prepared>,
    mean: Option<Prepared>,
    staging: Option<Staging>,
    sum: Sum,
    data: Vec<f32>,
    received: Vec<f32>,
    /// Bytes sent, and time in exchanges.
    pub sent: (u64, Duration),
}

impl Lockstep {
    /// For `own` micro-batches of `all` on this rank; `None` if nothing meets.
    pub(super) fn new(
        session: &Session,
        ranks: &dyn Communicator,
        [own, all]: [usize; 2],
    ) -> Result<Option<Lockstep>> {
        let (device, plan) = (&session.device, &session.plan);
        let meetings = plan.meetings();
        let Some(most) = meetings.iter().map(|meeting| meeting.bytes.end - meeting.bytes.start).max() else {
            return Ok(None);
        };
        if let Some(other) = meetings.iter().find(|meeting| meeting.micro_batches != all) {
            return Err(Error::Parallel(format!(
                "the graph takes means over {} micro-batches, and steps have {all}; build it for as many",
                other.micro_batches
            )));
        }
        if let Some(&value) = plan.updated_on_the_way().first() {
            return Err(Error::Parallel(format!(
                "\"{}\" is updated by each micro-batch, which micro-batches that run side by side can't do in turn; synchronise all batch norms or none",
                plan.graph().info(value).name
            )));
        }
        let most = most.next_multiple_of(ALIGNMENT);
        let others = (1..own).map(|_| Session::new(device, plan.clone(), &session.weights));
        let others = others.collect::<Result<Vec<Session>>>()?;
        let parts = (0..own).map(|_| device.buffer("means over micro-batches", most));
        let parts = parts.collect::<Result<Vec<Buffer>>>()?;
        let pipelines = pipelines(device, all)?;
        let prepared = |kernel: usize, buffers: &[&Buffer]| {
            let numbered = (0..).zip(buffers);
            let entries: Vec<_> = numbered.map(|(i, buffer)| bound(i, buffer, 0, most)).collect();
            prepare(device, &pipelines, kernel, &entries, most, plan.caps().max_workgroups)
        };
        let (mut adds, mut kept, mut next) = (Vec::new(), Vec::new(), 0..own);
        for join in Joins::new(own) {
            match (join, kept.len()) {
                (Join::Next, _) => kept.extend(next.next()),
                (Join::Add, 2..) => {
                    let top: usize = kept.pop().unwrap_or_default();
                    let below = kept[kept.len() - 1];
                    adds.push(prepared(ADD, &[&parts[below], &parts[top]])?);
                }
                (Join::Add, _) => {}
            }
        }
        let mean = if all > 1 { Some(prepared(MEAN, &[&parts[0]])?) } else { None };
        let sum = Sum::new(ranks.rank(), ranks.ranks(), most as usize / 4)?;
        let exchanged = ranks.ranks() > 1;
        let staging = if exchanged { Some(Staging::new(device, most)?) } else { None };
        let data = vec![0.0; if exchanged { most as usize / 4 } else { 0 }];
        let received = vec![0.0; sum.received()];
        let sent = (0, Duration::ZERO);
        Ok(Some(Lockstep {
            others,
            meetings,
            parts,
            pipelines,
            adds,
            mean,
            staging,
            sum,
            data,
            received,
            sent,
        }))
    }

    /// Bytes that this rank sends in a step for the means.
    pub(super) fn bytes_per_step(&self) -> u64 {
        self.sum.sent_bytes() * self.meetings.len() as u64
    }

    /// Runs all micro-batches of this rank up to dispatch number `end`, as number `first` of all and those behind it.
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        ranks: &mut dyn Communicator,
        first: u32,
        end: usize,
    ) -> Result<()> {
        self.go_on_from(session.step);
        for (number, session) in (first..).zip(std::iter::once(&mut *session).chain(&mut self.others)) {
            session.wait_for_room()?;
            session.write_numbers(number, 0)?;
        }
        let mut start = 0;
        for meeting in 0..self.meetings.len() {
            let Meeting { after, buffer, bytes, .. } = self.meetings[meeting].clone();
            for (part, session) in std::iter::once(&mut *session).chain(&mut self.others).enumerate() {
                let part = &self.parts[part];
                run(session, start..after, |session| {
                    let from = &session.buffers[buffer].raw;
                    let encoder = session.uploads.encoder(&session.device);
                    encoder.copy_buffer_to_buffer(from, bytes.start, &part.raw, 0, bytes.end - bytes.start);
                })?;
            }
            self.meet(session, ranks, buffer, bytes)?;
            start = after;
        }
        for session in std::iter::once(&mut *session).chain(&mut self.others) {
            run(session, start..end, |_| {})?;
        }
        for session in &mut self.others {
            session.submit_part(Session::encode_watch)?;
            session.watch.iter_mut().for_each(watch::Watch::count_run);
        }
        Ok(())
    }

    /// Replaces a part of a buffer of each micro-batch by the mean over all of them.
    fn meet(
        &mut self,
        session: &mut Session,
        ranks: &mut dyn Communicator,
        buffer: usize,
        bytes: Range<u64>,
    ) -> Result<()> {
        let device = session.device.clone();
        session.wait_for_room()?;
        if let Some(staging) = &mut self.staging {
            session.submit_part(|session| {
                encode(session, &self.pipelines, &self.adds);
                let encoder = session.uploads.encoder(&session.device);
                encoder.copy_buffer_to_buffer(
                    &self.parts[0].raw,
                    0,
                    staging.read(),
                    0,
                    self.parts[0].bytes(),
                );
            })?;
            if let Some(InFlight { index, step, .. }) = session.in_flight.back().cloned() {
                staging.map_read(index);
                staging.take(&device, &mut self.data).map_err(|e| e.of_step(Some(step)))?;
            }
            let start = Instant::now();
            self.sum.run(ranks, &mut self.data, &mut self.received)?;
            self.sent.1 += start.elapsed();
            self.sent.0 += self.sum.sent_bytes();
            staging.give(&device, &self.data)?;
        }
        session.submit_part(|session| {
            match &self.staging {
                Some(staging) => {
                    let encoder = session.uploads.encoder(&session.device);
                    let sum = &self.parts[0];
                    encoder.copy_buffer_to_buffer(staging.write(), 0, &sum.raw, 0, sum.bytes());
                }
                None => encode(session, &self.pipelines, &self.adds),
            }
            encode(session, &self.pipelines, self.mean.as_slice());
            let own = session.buffers[buffer].clone();
            let encoder = session.uploads.encoder(&session.device);
            let others = self.others.iter().map(|other| &other.buffers[buffer]);
            for to in std::iter::once(&own).chain(others) {
                let from = &self.parts[0].raw;
                encoder.copy_buffer_to_buffer(from, 0, &to.raw, bytes.start, bytes.end - bytes.start);
            }
        })?;
        self.staging.iter_mut().for_each(Staging::map_write);
        Ok(())
    }

    /// Sets the number of the next step of the other sessions.
    pub(super) fn go_on_from(&mut self, step: u32) {
        self.others.iter_mut().for_each(|session| session.go_on_from(step));
    }
}

/// Submits these dispatches of a step, in as many submissions as the plan's, and what `last` adds behind them.
fn run(session: &mut Session, dispatches: Range<usize>, last: impl Fn(&mut Session)) -> Result<()> {
    let Range { mut start, end } = dispatches;
    let ends = session.plan.submits().iter().map(|submit| submit.dispatches.end);
    let mut cuts: Vec<usize> = ends.filter(|cut| (start + 1..end).contains(cut)).collect();
    cuts.push(end);
    for cut in cuts {
        session.submit_part(|session| {
            if start == 0 {
                session.encode_inputs();
            }
            session.encode(start..cut);
            if cut == end {
                last(session);
            }
        })?;
        start = cut;
    }
    Ok(())
}
