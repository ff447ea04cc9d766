//! The adapter, its queue, buffers and pipelines. With `session/`, the only place that names `wgpu`.
//!
//! Steps and their order are no business of this module.

mod adapter;
mod buffer;
mod pipeline;

pub use adapter::AdapterSummary;
pub use buffer::Buffer;
pub(crate) use pipeline::Pipelines;

use crate::error::{Error, Result};
use crate::plan::Caps;
use std::sync::{Arc, Mutex};

/// Environment variable that names the adapter to take, where the program does not.
pub const ADAPTER_VARIABLE: &str = "WGRAD_ADAPTER";

/// An opened adapter. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Device {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    summary: AdapterSummary,
    caps: Caps,
    /// The first fault that the driver reported and nobody has been told of.
    fault: Arc<Mutex<Option<String>>>,
}

/// The adapters of this machine, the one that [`Device::open`] takes by default first. Each can be
/// opened by its name.
#[cfg(not(target_arch = "wasm32"))]
pub fn adapters() -> Vec<AdapterSummary> {
    let adapters = pollster::block_on(adapter::all());
    adapters.iter().map(|a| AdapterSummary::of(&a.get_info())).collect()
}

impl Device {
    /// Opens the adapter that [`ADAPTER_VARIABLE`] names, or else the most capable one.
    /// Blocks; in a browser use [`Device::open_async`].
    ///
    /// # Errors
    /// No adapter, none of that name, or one that can't be opened. The message lists what there is.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open() -> Result<Device> {
        pollster::block_on(Device::open_async(None))
    }

    /// Opens the adapter whose name contains `name`, whatever the case of its letters.
    ///
    /// # Errors
    /// As [`Device::open`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open_named(name: &str) -> Result<Device> {
        pollster::block_on(Device::open_async(Some(name)))
    }

    /// Opens an adapter by name, by [`ADAPTER_VARIABLE`], or the most capable one.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub async fn open_async(name: Option<&str>) -> Result<Device> {
        let (adapter, device, queue) = adapter::open(name).await?;
        let summary = AdapterSummary::of(&adapter.get_info());
        let caps = adapter::caps(&adapter.get_info(), &device);
        let fault = Arc::new(Mutex::new(None));
        let record = |fault: &Arc<Mutex<Option<String>>>| {
            let fault = Arc::clone(fault);
            move |message: String| {
                if let Ok(mut slot) = fault.lock() {
                    slot.get_or_insert(message);
                }
            }
        };
        let on_error = record(&fault);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| on_error(error.to_string())));
        let on_loss = record(&fault);
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                on_loss(format!("the device was lost: {message}"));
            }
        });
        Ok(Device { inner: Arc::new(Inner { device, queue, summary, caps, fault }) })
    }

    /// Which adapter this is.
    pub fn summary(&self) -> &AdapterSummary {
        &self.inner.summary
    }

    /// Limits and traits that plans are made for.
    pub fn caps(&self) -> &Caps {
        &self.inner.caps
    }

    /// Waits until the GPU has finished all that was submitted.
    ///
    /// # Errors
    /// A fault of the driver, or a lost device.
    pub fn wait(&self) -> Result<()> {
        self.inner.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| self.error(e.to_string()))?;
        self.check()
    }

    /// The first fault that the driver reported since the last check.
    ///
    /// # Errors
    /// That fault.
    pub fn check(&self) -> Result<()> {
        match self.inner.fault.lock() {
            Ok(mut fault) => fault.take().map_or(Ok(()), |message| Err(self.error(message))),
            Err(_) => Err(self.error("a driver callback failed".into())),
        }
    }

    pub(crate) fn wgpu(&self) -> &wgpu::Device {
        &self.inner.device
    }

    pub(crate) fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    pub(crate) fn error(&self, message: String) -> Error {
        Error::Device { adapter: self.inner.summary.name.clone(), message }
    }

    /// Runs `create` and turns what the driver has against it into an error.
    ///
    /// In a browser such errors arrive later, with [`Device::check`].
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn guarded<T>(&self, create: impl FnOnce(&wgpu::Device) -> T) -> Result<T> {
        Ok(create(self.wgpu()))
    }

    /// Runs `create` and turns what the driver has against it into an error.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn guarded<T>(&self, create: impl FnOnce(&wgpu::Device) -> T) -> Result<T> {
        let device = self.wgpu();
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let created = create(device);
        let errors = [internal.pop(), validation.pop(), memory.pop()];
        for error in errors {
            if let Some(error) = pollster::block_on(error) {
                return Err(self.error(error.to_string()));
            }
        }
        Ok(created)
    }
}
