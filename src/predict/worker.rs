//! The thread that answers: it takes what waits, alone or together, and runs it in batches of the sizes that are open.
//! Further sizes are opened by other threads, while it goes on with those that it has.

use super::items::Items;
use super::ladder;
use super::network::Loaded;
use super::rung::{Answer, Kind, Rung};
use crate::error::{Error, Result};
use crate::promise::Promise;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long to wait where there is no limit.
const LONG: Duration = Duration::from_secs(3600);

/// Something that was asked for and is not answered.
pub(super) struct Request {
    pub items: Items,
    /// How many there are.
    pub count: usize,
    pub kind: Kind,
    /// Draws of dropout.
    pub samples: usize,
    pub since: Instant,
    /// Gone if nobody waits for the answer.
    pub wanted: Weak<()>,
    pub reply: Reply,
}

/// Where the answer goes. A request that is dropped without one has an error for an answer.
pub(super) struct Reply(pub Arc<Promise<Result<Answer>>>);

impl Drop for Reply {
    fn drop(&mut self) {
        self.0.keep(Err(Error::Predictor("its thread ended without an answer".into())));
    }
}

impl Request {
    fn is_wanted(&self) -> bool {
        self.wanted.strong_count() > 0
    }
}

/// Whether there is a session for batches of a size.
#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Opening,
    Open,
    /// The device has not the memory, for example.
    Refused,
}

/// What a predictor did so far.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Counters {
    /// Requests answered, those with errors included.
    pub requests: u64,
    /// Items in them.
    pub items: u64,
    /// Batches run.
    pub batches: u64,
    /// Items that batches were padded with.
    pub padding: u64,
    /// Items that wait now.
    pub waiting: usize,
}

#[derive(Default)]
struct Queue {
    requests: VecDeque<Request>,
    /// Sessions that were opened and that the worker has not taken yet.
    opened: Vec<Rung>,
    rungs: BTreeMap<(Kind, usize), State>,
    openers: Vec<JoinHandle<()>>,
    counters: Counters,
    closed: bool,
    /// The worker is gone.
    ended: bool,
}

impl Queue {
    fn check(&self) -> Result<()> {
        if self.ended {
            return Err(Error::Predictor("its thread has ended by a panic; make another".into()));
        }
        Ok(())
    }

    /// Takes requests out that nobody waits for.
    fn take_unwanted(&mut self) -> Vec<Request> {
        let (wanted, gone): (Vec<_>, Vec<_>) = self.requests.drain(..).partition(Request::is_wanted);
        self.requests = wanted.into();
        self.counters.waiting -= gone.iter().map(|request| request.count).sum::<usize>();
        gone
    }
}

/// What the worker shares with those who ask.
pub(super) struct Shared {
    pub loaded: Loaded,
    /// Batch sizes, in rising order.
    pub sizes: Vec<usize>,
    /// How long a request waits for others to share a batch with.
    pub batching: Option<Duration>,
    /// The most items that may wait.
    pub longest_queue: usize,
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    pub(super) fn new(
        loaded: Loaded,
        sizes: Vec<usize>,
        batching: Option<Duration>,
        longest_queue: usize,
    ) -> Shared {
        let (queue, changed) = (Mutex::default(), Condvar::new());
        Shared { loaded, sizes, batching, longest_queue, queue, changed }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No code that can panic runs under the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn counters(&self) -> Counters {
        self.queue().counters
    }

    /// Fails if the worker is gone.
    pub(super) fn check(&self) -> Result<()> {
        self.queue().check()
    }

    /// Puts a request behind those that wait.
    pub(super) fn ask(&self, request: Request) -> Result<()> {
        let mut queue = self.queue();
        queue.check()?;
        let is_full = |queue: &Queue| {
            let waiting = queue.counters.waiting;
            waiting > 0 && waiting.saturating_add(request.count) > self.longest_queue
        };
        let mut gone = Vec::new();
        if is_full(&queue) {
            gone = queue.take_unwanted();
        }
        if is_full(&queue) {
            return Err(Error::Busy { waiting: queue.counters.waiting, most: self.longest_queue });
        }
        queue.counters.waiting += request.count;
        queue.requests.push_back(request);
        drop(queue);
        drop(gone);
        self.changed.notify_all();
        Ok(())
    }

    /// Ends the worker when it has answered what waits, and waits for threads that open sessions.
    pub(super) fn close(&self) {
        self.queue().closed = true;
        self.changed.notify_all();
        loop {
            let Some(opener) = self.queue().openers.pop() else { return };
            // What a panic leaves open, its claim has given up.
            let _ = opener.join();
        }
    }

    /// The batch sizes that there are sessions for.
    pub(super) fn open_sizes(&self, kind: Kind) -> Vec<usize> {
        let queue = self.queue();
        let open = queue.rungs.iter().filter(|((of, _), state)| *of == kind && **state == State::Open);
        open.map(|((_, batch), _)| *batch).collect()
    }

    /// Opens a session for batches of a size, unless another thread does so; then it waits for that.
    pub(super) fn open(&self, kind: Kind, batch: usize) -> Result<()> {
        let mut queue = self.queue();
        loop {
            match queue.rungs.get(&(kind, batch)) {
                None | Some(State::Refused) => break,
                Some(State::Open) => return Ok(()),
                Some(State::Opening) => {
                    queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        queue.rungs.insert((kind, batch), State::Opening);
        let aside = queue.rungs.len() > 1;
        drop(queue);
        self.open_claimed(kind, batch, aside)
    }

    /// Opens a session whose size no other thread opens.
    fn open_claimed(&self, kind: Kind, batch: usize, aside: bool) -> Result<()> {
        let mut claim = Claim { shared: self, size: (kind, batch), rung: None };
        claim.rung = Some(Rung::open(&self.loaded, kind, batch, aside)?);
        Ok(())
    }

    /// Has another thread open a session, unless that was tried before.
    fn open_aside(self: &Arc<Self>, kind: Kind, batch: usize) {
        let mut queue = self.queue();
        if queue.closed || queue.rungs.contains_key(&(kind, batch)) {
            return;
        }
        let shared = Arc::clone(self);
        // Its error is kept with the size, which is then done without.
        let work = move || drop(shared.open_claimed(kind, batch, true));
        if let Ok(opener) = Builder::new().name("wgrad opens".into()).spawn(work) {
            queue.rungs.insert((kind, batch), State::Opening);
            queue.openers.retain(|opener| !opener.is_finished());
            queue.openers.push(opener);
        }
    }
}

/// A size that a thread opens. However that ends, others stop waiting for it; a layer of the user's may panic.
struct Claim<'s> {
    shared: &'s Shared,
    size: (Kind, usize),
    rung: Option<Rung>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        let state = if self.rung.is_some() { State::Open } else { State::Refused };
        queue.opened.extend(self.rung.take());
        queue.rungs.insert(self.size, state);
        drop(queue);
        self.shared.changed.notify_all();
    }
}

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
            let batch = ladder::cut(count - at, &open).first().copied().unwrap_or(1);
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
