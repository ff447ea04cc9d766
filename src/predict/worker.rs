//! The thread that answers: it takes what waits, alone or together, and runs it in batches of the sizes that are open.
//! Further sizes are opened by other threads (`queue.rs`), while it goes on with those that it has.

use super::items::Items;
use super::ladder;
use super::queue::{Queue, Request, Shared};
use super::rung::{Answer, Kind, Rung};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long to wait where there is no limit.
const LONG: Duration = Duration::from_secs(3600);

/// Starts the thread that answers.
pub(super) fn start(shared: &Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    let worker = Worker { shared: Arc::clone(shared), rungs: BTreeMap::new() };
    Builder::new().name("wgrad predicts".into()).spawn(move || worker.run())
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.ended = true;
        // Those that wait for an answer then learn that there is none.
        let left = std::mem::take(&mut queue.requests);
        queue.counters.waiting = 0;
        drop(queue);
        drop(left);
    }
}

struct Worker {
    shared: Arc<Shared>,
    rungs: BTreeMap<(Kind, usize), Rung>,
}

impl Worker {
    fn run(mut self) {
        while let Some(requests) = self.next() {
            self.answer(requests);
        }
    }

    /// Waits for requests, which share a batch where they may; `None` at the end.
    fn next(&mut self) -> Option<Vec<Request>> {
        let shared = Arc::clone(&self.shared);
        let mut queue = shared.queue();
        loop {
            self.take_opened(&mut queue);
            let gone = queue.take_unwanted();
            if !gone.is_empty() {
                drop(queue);
                drop(gone);
                queue = shared.queue();
                continue;
            }
            match queue.requests.front() {
                Some(first) => {
                    let Some(limit) = shared.batching else { break };
                    // A limit beyond the clock's end is looked at again.
                    let deadline = first.since.checked_add(limit);
                    let left =
                        deadline.map_or(LONG, |deadline| deadline.saturating_duration_since(Instant::now()));
                    let together = together(&queue.requests, self.largest());
                    if left.is_zero() || queue.closed || together.1 {
                        break;
                    }
                    queue =
                        shared.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
                }
                None if queue.closed => return None,
                None => queue = shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
        let count = if shared.batching.is_some() { together(&queue.requests, self.largest()).0 } else { 1 };
        Some(queue.requests.drain(..count).collect())
    }

    fn take_opened(&mut self, queue: &mut Queue) {
        self.rungs.extend(queue.opened.drain(..).map(|rung| ((rung.kind, rung.batch), rung)));
    }

    fn largest(&self) -> usize {
        self.shared.sizes.last().copied().unwrap_or(1)
    }

    /// Answers requests of one kind.
    fn answer(&mut self, requests: Vec<Request>) {
        let Some(first) = requests.first() else { return };
        let (kind, samples) = (first.kind, first.samples);
        if requests.len() > 1 {
            let items = Items::joined(requests.iter().map(|request| &request.items));
            let wanted = || requests.iter().any(Request::is_wanted);
            if let Ok(mut all) = items.and_then(|items| self.batches(kind, samples, &items, &wanted)) {
                let count: usize = requests.iter().map(|request| request.count).sum();
                let row = all.values.len() / count.max(1);
                for request in requests {
                    let rest = all.values.split_off(row * request.count);
                    let values = std::mem::replace(&mut all.values, rest);
                    self.reply(request, Ok(Answer { values, variances: Vec::new() }));
                }
                return;
            }
            // One of them may be the cause, and each gets an error of its own.
        }
        for request in requests {
            let answer = self.batches(kind, samples, &request.items, &|| request.is_wanted());
            self.reply(request, answer);
        }
    }

    fn reply(&self, request: Request, answer: Result<Answer>) {
        let mut queue = self.shared.queue();
        queue.counters.requests += 1;
        queue.counters.items += request.count as u64;
        // Whoever has an answer no longer waits.
        queue.counters.waiting -= request.count;
        drop(queue);
        request.reply.0.keep(answer);
    }

    /// Runs items in batches of the sizes that are open, and has those opened that would have been better. Stops where
    /// nobody wants the answer any more.
    fn batches(
        &mut self,
        kind: Kind,
        samples: usize,
        items: &Items,
        wanted: &(dyn Fn() -> bool + Sync),
    ) -> Result<Answer> {
        let shared = Arc::clone(&self.shared);
        let count = items.len() / shared.loaded.network.item.elements();
        if !self.rungs.keys().any(|&(of, _)| of == kind) {
            // Without any session of this kind there is nothing to go on with.
            shared.open(kind, shared.sizes.first().copied().unwrap_or(1))?;
        }
        for batch in ladder::cut(count, &shared.sizes) {
            if !self.rungs.contains_key(&(kind, batch)) {
                shared.open_aside(kind, batch);
            }
        }
        let (mut answer, mut at) = (Answer::default(), 0);
        while at < count {
            self.take_opened(&mut shared.queue());
            let open: Vec<usize> =
                self.rungs.keys().filter(|(of, _)| *of == kind).map(|(_, batch)| *batch).collect();
            // As many as the largest batch has say which comes next.
            let next = (count - at).min(open.last().copied().unwrap_or(1));
            let batch = ladder::cut(next, &open).first().copied().unwrap_or(1);
            let Some(rung) = self.rungs.get_mut(&(kind, batch)) else {
                return Err(Error::Predictor("has no session of the size that it opened".into()));
            };
            let taken = batch.min(count - at);
            if !wanted() || !rung.run(items, at..at + taken, samples, wanted, &mut answer)? {
                return Err(Error::Predictor("nobody waits for the answer".into()));
            }
            at += taken;
            let mut queue = shared.queue();
            queue.counters.batches += 1;
            queue.counters.padding += (batch - taken) as u64;
        }
        Ok(answer)
    }
}

/// How many of the first requests share a batch of at most so many items, and whether no other could join them.
fn together(requests: &VecDeque<Request>, largest: usize) -> (usize, bool) {
    let Some(first) = requests.front() else { return (0, false) };
    let mut items = 0;
    for (i, request) in requests.iter().enumerate() {
        items += request.count;
        if i > 0 && (items > largest || request.kind != Kind::Outputs) {
            return (i, true);
        }
        if items >= largest || first.kind != Kind::Outputs {
            return (i + 1, true);
        }
    }
    (requests.len(), false)
}
