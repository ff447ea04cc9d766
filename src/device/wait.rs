//! Waits for the GPU. Blocking calls poll on their own thread. Futures wait for the device's thread (`poller`), in a
//! browser for the event loop, and on a device of an app for the app's polling.

use super::Device;
use super::fault::NO_LIMIT;
use super::poller::{Awaited, Callback, Failure, Signal};
#[cfg(not(target_arch = "wasm32"))]
use super::poller::{Polled, pause};
use crate::error::{Error, Result};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
#[cfg(not(target_arch = "wasm32"))]
use std::time::Instant;

/// How long a callback may take that is due.
#[cfg(not(target_arch = "wasm32"))]
const CALLBACK: Duration = Duration::from_secs(10);

thread_local! {
    /// Whether a blocking call runs on this thread, which polls for itself.
    static BLOCKS: Cell<bool> = const { Cell::new(false) };
}

/// Runs a future of this crate to its end. Its waits poll on this thread, which is faster than a thread in between.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            BLOCKS.set(self.0);
        }
    }
    let _before = Before(BLOCKS.replace(true));
    pollster::block_on(future)
}

impl Device {
    /// Sets how long a call waits for the GPU before it fails with [`Error::Timeout`], also for clones of the
    /// device. Calls that wait are a step with three submissions in flight, reads,
    /// [`Session::wait`](crate::Session::wait) and others that need results of the GPU. Repeat the call to
    /// wait again. A submission of [`Session::run`](crate::Session::run) is of up to 64 steps, so it takes a limit for
    /// as many.
    ///
    /// There is no limit by default. GPU drivers have their own limit of a few seconds, after which they
    /// reset the device and waiting ends with [`Error::DeviceLost`]. A software adapter may need minutes for
    /// a first step, in which it compiles kernels.
    pub fn set_wait_limit(&self, limit: Option<Duration>) {
        let nanoseconds = limit.map(|limit| limit.as_nanos().try_into().unwrap_or(NO_LIMIT));
        self.inner.faults.wait_limit.store(nanoseconds.unwrap_or(NO_LIMIT), Ordering::Relaxed);
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn wait_limit(&self) -> Option<Duration> {
        let limit = self.inner.faults.wait_limit.load(Ordering::Relaxed);
        (limit != NO_LIMIT).then(|| Duration::from_nanos(limit))
    }

    /// Waits until the GPU has finished all submitted work.
    ///
    /// # Errors
    /// A lost device; a limit that [`Device::set_wait_limit`] set.
    pub fn wait(&self) -> Result<()> {
        self.wait_for(None, None)
    }

    /// [`Device::wait`] without blocking: a thread of the device polls the driver meanwhile. If the system gives no
    /// thread, it blocks.
    ///
    /// # Errors
    /// As [`Device::wait`].
    pub async fn wait_async(&self) -> Result<()> {
        self.wait_for_async(None, None).await
    }

    /// Waits for one submission, or all so far. `done` is what the driver ends with the submission; without it, a wait
    /// with a limit is for all so far.
    pub(crate) fn wait_for(
        &self,
        submission_index: Option<wgpu::SubmissionIndex>,
        done: Option<&Arc<Signal>>,
    ) -> Result<()> {
        self.check()?;
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(limit) = self.wait_limit() {
            // As the device's thread: by looks, not by a wait of the driver that may run out.
            let done = done.cloned().unwrap_or_else(|| self.signal_of_work());
            let start = Instant::now();
            loop {
                let polled = self.poll(wgpu::PollType::Poll);
                self.check()?;
                polled.map_err(|e| self.error(e.to_string()))?;
                if done.is_kept() {
                    return Ok(());
                }
                if start.elapsed() >= limit {
                    return Err(self.failed(Failure::Expired));
                }
                std::thread::sleep(pause(start.elapsed()).min(limit.saturating_sub(start.elapsed())));
            }
        }
        let _ = done;
        let waited = self.poll(wgpu::PollType::Wait { submission_index, timeout: None });
        self.check()?;
        waited.map_err(|e| self.error(e.to_string()))
    }

    /// [`Device::wait_for`] without blocking. Without `done`, the wait is for all so far.
    pub(crate) async fn wait_for_async(
        &self,
        submission: Option<wgpu::SubmissionIndex>,
        done: Option<&Arc<Signal>>,
    ) -> Result<()> {
        self.check()?;
        #[cfg(not(target_arch = "wasm32"))]
        if BLOCKS.get() {
            return self.wait_for(submission, done);
        }
        let done = done.cloned().unwrap_or_else(|| self.signal_of_work());
        self.wait_callback(done, submission).await
    }

    /// Waits until a submission would not block. Mesa's software driver has it wait for the last one.
    pub(crate) async fn wait_to_submit(&self) -> Result<()> {
        if self.polls() && self.caps().kind.is_software() && !BLOCKS.get() {
            return self.wait_async().await;
        }
        Ok(())
    }

    /// Waits until a callback of the driver, which the submission is followed by, ends `signal`.
    pub(super) async fn wait_callback(
        &self,
        signal: Arc<Signal>,
        submission: Option<wgpu::SubmissionIndex>,
    ) -> Result<()> {
        #[cfg(not(target_arch = "wasm32"))]
        {
            if !BLOCKS.get()
                && self.polls()
                && let Some(awaited) = self.polled(Arc::clone(&signal))
            {
                return self.ended(awaited).await;
            }
            if BLOCKS.get() || self.polls() {
                self.wait_for(submission, Some(&signal))?;
                return self.ended(self.inner.faults.waits.add(signal)).await;
            }
        }
        let _ = submission;
        self.ended(self.inner.faults.waits.add(signal)).await
    }

    /// Ends when the GPU has finished what was submitted so far and somebody polls.
    pub(crate) fn signal_of_work(&self) -> Arc<Signal> {
        let signal = Signal::new();
        let callback = Callback(Arc::clone(&signal));
        self.queue().on_submitted_work_done(move || callback.0.keep(Ok(())));
        signal
    }

    async fn ended(&self, awaited: Awaited<'_>) -> Result<()> {
        // The device may have been lost before the wait was known.
        self.check()?;
        let found = awaited.signal.ended().await;
        self.check()?;
        found.map_err(|failure| self.failed(failure))
    }

    fn failed(&self, failure: Failure) -> Error {
        match failure {
            Failure::Driver(message) => self.error(message),
            #[cfg(not(target_arch = "wasm32"))]
            Failure::Expired => Error::Timeout {
                adapter: self.summary().name.clone(),
                step: None,
                limit: self.wait_limit().unwrap_or(Duration::MAX),
            },
        }
    }

    /// A wait that the device's thread polls for.
    #[cfg(not(target_arch = "wasm32"))]
    fn polled(&self, signal: Arc<Signal>) -> Option<Awaited<'_>> {
        let since = Instant::now();
        let deadline = self.wait_limit().and_then(|limit| since.checked_add(limit));
        self.inner.faults.add_polled(signal, Polled { device: self.wgpu().clone(), since, deadline })
    }

    /// Waits until the GPU is done and `look` finds what a callback leaves. Another thread that waits for the same device
    /// may be the one that runs the callback, and may not be through with it when the GPU is done. `None` if the callback
    /// does not come.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn wait_until<T>(&self, mut look: impl FnMut() -> Option<T>) -> Result<Option<T>> {
        if let Some(found) = look() {
            return Ok(Some(found));
        }
        self.wait()?;
        let start = Instant::now();
        loop {
            match look() {
                None if start.elapsed() < CALLBACK => std::thread::sleep(Duration::from_micros(20)),
                found => return Ok(found),
            }
            // Callbacks run in a poll.
            let _ = self.poll(wgpu::PollType::Poll);
        }
    }

    pub(super) fn poll(&self, poll_type: wgpu::PollType) -> Result<(), wgpu::PollError> {
        self.inner.faults.poll(self.wgpu(), poll_type)
    }
}
