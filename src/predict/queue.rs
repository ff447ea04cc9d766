//! What waits for an answer, and which sessions there are: what the worker shares with those who ask, and with the threads
//! that open sessions.

use super::items::Items;
use super::network::Loaded;
use super::rung::{Answer, Kind, Rung};
use crate::error::{Error, Result};
use crate::promise::Promise;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

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
    pub(super) fn is_wanted(&self) -> bool {
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
pub(super) struct Queue {
    pub requests: VecDeque<Request>,
    /// Sessions that were opened and that the worker has not taken yet.
    pub opened: Vec<Rung>,
    rungs: BTreeMap<(Kind, usize), State>,
    openers: Vec<JoinHandle<()>>,
    pub counters: Counters,
    pub closed: bool,
    /// The worker is gone.
    pub ended: bool,
}

impl Queue {
    fn check(&self) -> Result<()> {
        if self.ended {
            return Err(Error::Predictor("its thread has ended by a panic; make another".into()));
        }
        Ok(())
    }

    /// Takes requests out that nobody waits for.
    pub(super) fn take_unwanted(&mut self) -> Vec<Request> {
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
    pub changed: Condvar,
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

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
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
    pub(super) fn open_aside(self: &Arc<Self>, kind: Kind, batch: usize) {
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
