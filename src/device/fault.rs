//! What goes wrong on a device, and whose fault it is.
//!
//! The error of a call belongs to that call: [`Device::guarded`] catches it, so that nobody else hears of it. Two
//! things concern everyone, for ever: the loss of the device, and an error that no call can be found for.

use super::Device;
use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// For [`Faults::wait_limit`]: none.
const NO_LIMIT: u64 = u64::MAX;

/// What is wrong with a device.
#[derive(Debug)]
pub(super) struct Faults {
    /// Why the device was lost.
    lost: OnceLock<String>,
    /// The first error of no known call.
    stray: OnceLock<String>,
    /// How long to wait for the GPU, in nanoseconds.
    wait_limit: AtomicU64,
}

impl Faults {
    /// Listens to `device`.
    pub fn of(device: &wgpu::Device) -> Arc<Faults> {
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

    /// The first reason counts.
    fn lose(&self, reason: &str) {
        self.lost.get_or_init(|| reason.to_owned());
    }
}

impl Device {
    /// Fails if the device is lost, or if the driver reported an error that belongs to no call. Both are for
    /// ever; calls that use the device check them too.
    ///
    /// # Errors
    /// [`Error::DeviceLost`]; [`Error::Device`] for an error of no call.
    pub fn check(&self) -> Result<()> {
        if let Some(reason) = self.inner.faults.lost.get() {
            return Err(Error::DeviceLost { adapter: self.adapter().to_owned(), reason: reason.clone() });
        }
        self.inner.faults.stray.get().map_or(Ok(()), |message| Err(self.error(message.clone())))
    }

    /// Gives the device up: it counts as lost from now on, for its clones, weights and sessions too. What was
    /// submitted still runs; memory is given back when that is done and the last clone is dropped.
    ///
    /// For a GPU that no longer answers, and for testing what a program does when it loses one.
    pub fn destroy(&self) {
        self.inner.faults.lose("it was destroyed by Device::destroy");
        self.wgpu().destroy();
        // Gives memory back if nothing runs. What the driver says to that no longer matters.
        let _ = self.poll(wgpu::PollType::Poll);
    }

    /// From now on, calls that wait for the GPU fail with [`Error::Timeout`] after this time, for clones of the
    /// device too. Such calls are steps past the third in flight, reads, [`Session::wait`](crate::Session::wait)
    /// and whatever else needs what the GPU computed. They can be repeated and then wait on.
    ///
    /// There is no limit by default. Drivers of GPUs have one of their own, a few seconds, after which they take
    /// the device away, so that waiting ends with [`Error::DeviceLost`]. A software adapter may need minutes for
    /// a first step, in which it compiles kernels: only the user knows how long is too long.
    pub fn set_wait_limit(&self, limit: Option<Duration>) {
        let nanoseconds = limit.map(|limit| limit.as_nanos().try_into().unwrap_or(NO_LIMIT));
        self.inner.faults.wait_limit.store(nanoseconds.unwrap_or(NO_LIMIT), Ordering::Relaxed);
    }

    /// Waits until the GPU has finished all that was submitted.
    ///
    /// # Errors
    /// A lost device; a limit that [`Device::set_wait_limit`] set.
    pub fn wait(&self) -> Result<()> {
        self.wait_for(None)
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

    fn poll(&self, poll_type: wgpu::PollType) -> Result<(), wgpu::PollError> {
        // wgpu panics where the driver says that the device is lost while it is waited for.
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

    /// Runs `call` and turns what the driver has against it into an error.
    ///
    /// In a browser such errors arrive later, with [`Device::check`].
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn guarded<T>(&self, call: impl FnOnce(&wgpu::Device) -> T) -> Result<T> {
        self.check()?;
        Ok(call(self.wgpu()))
    }

    /// Runs `call` and turns what the driver has against it into an error, of this call and no other.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn guarded<T>(&self, call: impl FnOnce(&wgpu::Device) -> T) -> Result<T> {
        self.check()?;
        let device = self.wgpu();
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let result = call(device);
        let errors = [internal.pop(), validation.pop(), memory.pop()];
        // A device that was lost meanwhile ignores calls, and no scope says so.
        self.check()?;
        for error in errors {
            if let Some(error) = pollster::block_on(error) {
                return Err(self.error(error.to_string()));
            }
        }
        Ok(result)
    }
}
