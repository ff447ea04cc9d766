//! Errors of a device: the call that each belongs to, loss of the device, limits on waiting.
//!
//! The error of a call is returned by that call alone: [`Device::guarded`] catches it. Two errors are
//! permanent and every later call reports them: the loss of the device, and an error that belongs to no call.

use super::Device;
use super::poller::Waits;
use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

/// [`Faults::wait_limit`] without a limit.
pub(super) const NO_LIMIT: u64 = u64::MAX;

/// The state of a device's errors.
#[derive(Debug)]
pub(super) struct Faults {
    /// The reason for the loss of the device.
    lost: OnceLock<String>,
    /// The first error that belongs to no call.
    stray: OnceLock<String>,
    /// How long to wait for the GPU, in nanoseconds.
    pub(super) wait_limit: AtomicU64,
    /// Futures that wait.
    pub(super) waits: Waits,
}

impl Default for Faults {
    fn default() -> Faults {
        let wait_limit = AtomicU64::new(NO_LIMIT);
        Faults { lost: OnceLock::new(), stray: OnceLock::new(), wait_limit, waits: Waits::default() }
    }
}

impl Faults {
    /// Registers for errors of `device` and its loss.
    pub(super) fn listen(self: &Arc<Self>, device: &wgpu::Device) {
        let listener = Arc::clone(self);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            listener.stray.get_or_init(|| error.to_string());
        }));
        let listener = Arc::clone(self);
        device.set_device_lost_callback(move |reason, message| {
            listener.lose(&match reason {
                wgpu::DeviceLostReason::Destroyed => "it was destroyed".to_owned(),
                wgpu::DeviceLostReason::Unknown => message,
            });
        });
    }

    /// Keeps the first reason, and ends all waits.
    pub(super) fn lose(&self, reason: &str) {
        self.lost.get_or_init(|| reason.to_owned());
        self.waits.end_all();
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    pub(super) fn poll(&self, device: &wgpu::Device, poll: wgpu::PollType) -> Result<(), wgpu::PollError> {
        // wgpu panics if the driver reports the loss of the device during the wait.
        let polled = catch_unwind(AssertUnwindSafe(|| device.poll(poll).map(drop)));
        polled.unwrap_or_else(|_| {
            self.lose("the driver failed while it was waited for");
            Ok(())
        })
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
    /// A device of an app ([`Device::from_wgpu`]) counts as lost here alone; the app's own use of it goes on.
    ///
    /// Use it for a GPU that no longer answers, or to test how a program handles a lost device.
    pub fn destroy(&self) {
        self.inner.faults.lose("it was destroyed by Device::destroy");
        if self.is_embedded() {
            return;
        }
        self.wgpu().destroy();
        // Frees memory if nothing runs. Errors of the driver no longer matter.
        let _ = self.poll(wgpu::PollType::Poll);
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
