//! Errors of a device: the call that each belongs to, loss of the device, limits on waiting.
//!
//! The error of a call is returned by that call alone: [`Device::guarded`] catches it. Two errors are
//! permanent and every later call reports them: the loss of the device, and an error that belongs to no call.

use super::Device;
use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
#[cfg(not(target_arch = "wasm32"))]
use std::time::Instant;

/// How long a callback may take that is due.
#[cfg(not(target_arch = "wasm32"))]
const CALLBACK: Duration = Duration::from_secs(10);

/// [`Faults::wait_limit`] without a limit.
const NO_LIMIT: u64 = u64::MAX;

/// The state of a device's errors.
#[derive(Debug)]
pub(super) struct Faults {
    /// The reason for the loss of the device.
    lost: OnceLock<String>,
    /// The first error that belongs to no call.
    stray: OnceLock<String>,
    /// How long to wait for the GPU, in nanoseconds.
    wait_limit: AtomicU64,
}

impl Faults {
    /// Registers for errors of `device` and its loss.
    pub(super) fn of(device: &wgpu::Device) -> Arc<Faults> {
        let wait_limit = AtomicU64::new(NO_LIMIT);
        let faults = Arc::new(Faults { lost: OnceLock::new(), stray: OnceLock::new(), wait_limit });
        let listener = Arc::clone(&faults);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            listener.stray.get_or_init(|| error.to_string());
        }));
        let listener = Arc::clone(&faults);
        device.set_device_lost_callback(move |reason, message| {
            listener.lose(&match reason {
                wgpu::DeviceLostReason::Destroyed => "it was destroyed".to_owned(),
                wgpu::DeviceLostReason::Unknown => message,
            });
        });
        faults
    }

    /// Keeps the first reason.
    fn lose(&self, reason: &str) {
        self.lost.get_or_init(|| reason.to_owned());
    }
}

impl Device {
    /// Fails if the device is lost, or if the driver reported an error that belongs to no call. Both are
    /// permanent, and every call that uses the device checks them too.
    ///
    /// # Errors
    /// [`Error::DeviceLost`]; [`Error::Device`] for an error that belongs to no call.
    pub fn check(&self) -> Result<()> {
        if let Some(reason) = self.inner.faults.lost.get() {
            return Err(Error::DeviceLost { adapter: self.adapter().to_owned(), reason: reason.clone() });
        }
        self.inner.faults.stray.get().map_or(Ok(()), |message| Err(self.error(message.clone())))
    }

    /// Gives the device up. From now on it counts as lost, also for its clones, weights and sessions.
    /// Submitted work still runs. Memory is freed when that is done and the last clone is dropped.
    ///
    /// Use it for a GPU that no longer answers, or to test how a program handles a lost device.
    pub fn destroy(&self) {
        self.inner.faults.lose("it was destroyed by Device::destroy");
        self.wgpu().destroy();
        // Frees memory if nothing runs. Errors of the driver no longer matter.
        let _ = self.poll(wgpu::PollType::Poll);
    }

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

    /// Waits until the GPU has finished all submitted work.
    ///
    /// # Errors
    /// A lost device; a limit that [`Device::set_wait_limit`] set.
    pub fn wait(&self) -> Result<()> {
        self.wait_for(None)
    }

    /// [`Device::wait`] without blocking a browser, which tells when the work is done; elsewhere it blocks.
    ///
    /// # Errors
    /// As [`Device::wait`].
    pub async fn wait_async(&self) -> Result<()> {
        #[cfg(target_arch = "wasm32")]
        {
            self.check()?;
            let (sender, receiver) = futures_intrusive::channel::shared::oneshot_channel();
            self.queue().on_submitted_work_done(move || {
                // The receiver is gone only if the caller dropped the future.
                let _ = sender.send(());
            });
            receiver.receive().await;
            self.check()
        }
        #[cfg(not(target_arch = "wasm32"))]
        self.wait()
    }

    /// Waits for one submission, or all so far.
    pub(crate) fn wait_for(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        self.check()?;
        let limit = self.inner.faults.wait_limit.load(Ordering::Relaxed);
        let timeout = (limit != NO_LIMIT).then(|| Duration::from_nanos(limit));
        let done = self.poll(wgpu::PollType::Wait { submission_index, timeout });
        self.check()?;
        match (done, timeout) {
            (Err(wgpu::PollError::Timeout), Some(limit)) => {
                Err(Error::Timeout { adapter: self.adapter().to_owned(), step: None, limit })
            }
            (Err(e), _) => Err(self.error(e.to_string())),
            (Ok(()), _) => Ok(()),
        }
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

    fn poll(&self, poll_type: wgpu::PollType) -> Result<(), wgpu::PollError> {
        // wgpu panics if the driver reports the loss of the device during the wait.
        let polled = catch_unwind(AssertUnwindSafe(|| self.wgpu().poll(poll_type).map(drop)));
        polled.unwrap_or_else(|_| {
            self.inner.faults.lose("the driver failed while it was waited for");
            Ok(())
        })
    }

    pub(crate) fn error(&self, message: String) -> Error {
        Error::Device { adapter: self.adapter().to_owned(), message }
    }

    /// Fails if `object`, which belongs to the device `other`, is used on this one.
    pub(crate) fn check_owns(&self, object: &'static str, other: &Device) -> Result<()> {
        if Arc::ptr_eq(&self.inner, &other.inner) {
            return Ok(());
        }
        let [expected, found] = [self, other].map(|device| device.adapter().to_owned());
        Err(Error::OtherDevice { object, expected, found })
    }

    fn adapter(&self) -> &str {
        &self.summary().name
    }

    /// Runs `call` and returns the driver's error about it.
    ///
    /// In a browser such errors arrive later, with [`Device::check`].
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn guarded<T>(&self, call: impl FnOnce(&wgpu::Device) -> T) -> Result<T> {
        self.check()?;
        Ok(call(self.wgpu()))
    }

    /// Runs `call` and returns the driver's error about it, which no other call sees.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn guarded<T>(&self, call: impl FnOnce(&wgpu::Device) -> T) -> Result<T> {
        self.check()?;
        let device = self.wgpu();
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let result = call(device);
        let errors = [internal.pop(), validation.pop(), memory.pop()];
        // A device that was lost meanwhile ignores calls without an error in any scope.
        self.check()?;
        for error in errors {
            if let Some(error) = pollster::block_on(error) {
                return Err(self.error(error.to_string()));
            }
        }
        Ok(result)
    }
}
