//! Batches read ahead by threads.
//!
//! A thread takes the next batch's number and the memory for it at once. So the earliest batch that is not ready always
//! has memory, and the threads never wait for each other in a circle.

use super::{Batch, Work};
use crate::data::dataset::Dataset;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What threads and the one that trains share.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Numbers of batches that no thread has taken yet.
    left: Range<usize>,
    free: Vec<Batch>,
    ready: BTreeMap<usize, Result<Batch>>,
    ended: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the threads however the run ends.
struct Ending<'s>(&'s Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.state().ended = true;
        self.0.changed.notify_all();
    }
}

/// [`Loader::run`](super::Loader::run) by threads.
pub(super) fn run<D: Dataset + ?Sized>(
    work: &Work<'_, D>,
    batches: Range<usize>,
    mut each: impl FnMut(&Batch) -> Result<()>,
) -> Result<()> {
    let ahead = work.loader.ahead.max(2).min(batches.len().max(2));
    let fields = work.data.fields();
    let free = (0..ahead).map(|_| Batch::new(fields, work.loader.batch_size)).collect::<Result<Vec<_>>>()?;
    let state = State { left: batches.clone(), free, ready: BTreeMap::new(), ended: false };
    let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
    thread::scope(|scope| {
        let _ending = Ending(&shared);
        for number in 0..work.loader.workers.min(batches.len()) {
            let spawned = thread::Builder::new()
                .name(format!("wgrad loader {number}"))
                .spawn_scoped(scope, || read(work, &shared));
            if let Err(error) = spawned {
                // With one thread the rest goes on, only slower.
                if number == 0 {
                    let message = format!("the system starts no thread: {error}; set 0 workers");
                    return Err(Error::Setting { setting: "workers", message });
                }
                break;
            }
        }
        for number in batches {
            let batch = ready(&shared, number)?;
            each(&batch)?;
            shared.state().free.push(batch);
            shared.changed.notify_all();
        }
        Ok(())
    })
}

/// Waits for a batch.
fn ready(shared: &Shared, number: usize) -> Result<Batch> {
    let mut state = shared.state();
    loop {
        if let Some(batch) = state.ready.remove(&number) {
            return batch;
        }
        state = shared.wait(state);
    }
}

/// Reads batches until there are no more.
fn read<D: Dataset + ?Sized>(work: &Work<'_, D>, shared: &Shared) {
    loop {
        let mut state = shared.state();
        let (number, mut batch) = loop {
            if state.ended || state.left.is_empty() {
                return;
            }
            if let Some(batch) = state.free.pop() {
                let number = state.left.start;
                state.left.start += 1;
                break (number, batch);
            }
            state = shared.wait(state);
        };
        drop(state);
        let read = catch_unwind(AssertUnwindSafe(|| work.read(number, &mut batch)));
        let read = read.unwrap_or_else(|_| {
            let message =
                format!("Dataset::read panicked in batch {number}; its message is on standard error");
            Err(Error::Setting { setting: "data set", message })
        });
        shared.state().ready.insert(number, read.map(|()| batch));
        shared.changed.notify_all();
    }
}
