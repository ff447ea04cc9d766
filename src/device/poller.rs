//! Waits that a thread of their own ends, so that futures don't block theirs.
//!
//! The thread starts with the first such wait. It sleeps while there is none, and ends when the device is dropped. In
//! between it holds nothing of the device.
//!
//! It looks at the driver again and again, and never has the driver wait for a limited time: wgpu panics where such a
//! wait runs out while another thread finds the work done.

#[cfg(not(target_arch = "wasm32"))]
use super::fault::Faults;
use crate::promise::Promise;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::Condvar;
use std::sync::{Arc, Mutex, PoisonError};
#[cfg(not(target_arch = "wasm32"))]
use std::time::{Duration, Instant};

/// The pause before the next look at the driver: a small share of the time that was waited already, so that it delays the
/// end of no wait by much, and long waits take few looks.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn pause(waited: Duration) -> Duration {
    (waited / 32).clamp(Duration::from_micros(20), Duration::from_micros(500))
}

/// Why a wait ended without what it was for.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    #[cfg(not(target_arch = "wasm32"))]
    Expired,
    Driver(String),
}

/// The end of a wait, which a future awaits.
pub(crate) type Signal = Promise<Result<(), Failure>>;

/// What a callback of the driver ends, also if the driver drops the callback.
pub(super) struct Callback(pub(super) Arc<Signal>);

impl Drop for Callback {
    fn drop(&mut self) {
        self.0.keep(Err(Failure::Driver("the driver gave a wait up".into())));
    }
}

/// A wait that has not ended.
#[derive(Debug)]
struct Wait {
    signal: Arc<Signal>,
    #[cfg(not(target_arch = "wasm32"))]
    polled: Option<Polled>,
}

/// What the thread polls, until a callback ends the wait.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Debug)]
pub(super) struct Polled {
    pub(super) device: wgpu::Device,
    pub(super) since: Instant,
    pub(super) deadline: Option<Instant>,
}

/// A device's waits.
#[derive(Debug, Default)]
pub(super) struct Waits {
    state: Mutex<State>,
    #[cfg(not(target_arch = "wasm32"))]
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waits: Vec<Wait>,
    #[cfg(not(target_arch = "wasm32"))]
    has_thread: bool,
    #[cfg(not(target_arch = "wasm32"))]
    is_closed: bool,
}

/// Forgets a wait when its future is dropped.
pub(super) struct Awaited<'f> {
    waits: &'f Waits,
    pub(super) signal: Arc<Signal>,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        let is_own = |wait: &mut Wait| Arc::ptr_eq(&wait.signal, &self.signal);
        let gone: Vec<Wait> = self.waits.state().waits.extract_if(.., is_own).collect();
        // Without the lock: this may drop the last handle of a device, and with it run the program's callbacks.
        drop(gone);
    }
}

impl Waits {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a wait that others end: callbacks, or the loss of the device.
    pub(super) fn add(&self, signal: Arc<Signal>) -> Awaited<'_> {
        self.state().waits.push(Wait {
            signal: Arc::clone(&signal),
            #[cfg(not(target_arch = "wasm32"))]
            polled: None,
        });
        Awaited { waits: self, signal }
    }

    /// Ends all waits: the device is lost.
    pub(super) fn end_all(&self) {
        let signals: Vec<_> = self.state().waits.iter().map(|wait| Arc::clone(&wait.signal)).collect();
        signals.iter().for_each(|signal| signal.keep(Ok(())));
    }

    /// Ends the thread. Nobody waits any more.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Faults {
    /// Adds a wait that the thread polls for, and starts the thread if there is none. `None` if the system gives none.
    pub(super) fn add_polled(self: &Arc<Self>, signal: Arc<Signal>, polled: Polled) -> Option<Awaited<'_>> {
        let mut state = self.waits.state();
        if !state.has_thread {
            let faults = Arc::clone(self);
            let thread = std::thread::Builder::new().name("wgrad waits".into());
            thread.spawn(move || poll_for_waits(&faults)).ok()?;
            state.has_thread = true;
        }
        state.waits.push(Wait { signal: Arc::clone(&signal), polled: Some(polled) });
        drop(state);
        self.waits.changed.notify_all();
        Some(Awaited { waits: &self.waits, signal })
    }
}

/// The thread's work.
#[cfg(not(target_arch = "wasm32"))]
fn poll_for_waits(faults: &Faults) {
    let mut state = faults.waits.state();
    while !state.is_closed {
        let open: Vec<(Arc<Signal>, Polled)> = state
            .waits
            .iter()
            .filter(|wait| !wait.signal.is_kept())
            .filter_map(|wait| Some((Arc::clone(&wait.signal), wait.polled.clone()?)))
            .collect();
        if open.is_empty() {
            state = faults.waits.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        drop(state);
        let newest = open.iter().map(|(_, polled)| polled.since).max();
        let pause = if poll_once(faults, open) { None } else { newest.map(|since| pause(since.elapsed())) };
        state = faults.waits.state();
        if let Some(pause) = pause
            && !state.is_closed
        {
            // A new wait ends the pause.
            let woken = faults.waits.changed.wait_timeout(state, pause);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Looks at the driver, whose callbacks end waits, and ends those that take too long. Returns whether any ended.
#[cfg(not(target_arch = "wasm32"))]
fn poll_once(faults: &Faults, open: Vec<(Arc<Signal>, Polled)>) -> bool {
    let (first, oldest) = &open[0];
    let polled = faults.poll(&oldest.device, wgpu::PollType::Poll);
    if faults.is_lost() {
        faults.waits.end_all();
        return true;
    }
    if let Err(e) = polled {
        first.keep(Err(Failure::Driver(e.to_string())));
    }
    let now = Instant::now();
    let mut some_ended = false;
    for (signal, wait) in &open {
        if wait.deadline.is_some_and(|deadline| deadline <= now) {
            signal.keep(Err(Failure::Expired));
        }
        some_ended |= signal.is_kept();
    }
    some_ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Device, DeviceOptions};

    #[test]
    fn the_thread_ends_with_the_device() -> crate::Result<()> {
        let device = Device::open_with(&DeviceOptions::default().cache(None))?;
        assert!(!device.inner.faults.waits.state().has_thread, "nothing was awaited");
        pollster::block_on(device.wait_async())?;
        assert!(device.inner.faults.waits.state().has_thread);
        assert!(device.inner.faults.waits.state().waits.is_empty(), "the wait is over");
        let faults = Arc::downgrade(&device.inner.faults);
        drop(device);
        let start = Instant::now();
        while faults.strong_count() > 0 {
            assert!(start.elapsed() < Duration::from_secs(10), "the thread still runs");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}
