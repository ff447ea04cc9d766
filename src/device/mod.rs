//! The adapter, its queue, buffers and pipelines. With `session/`, the only place that names `wgpu`.
//!
//! Steps and their order are no business of this module.

mod adapter;
mod buffer;
mod cache;
mod fault;
mod peaks;
mod pipeline;

pub use adapter::AdapterSummary;
pub use buffer::Buffer;
pub use cache::CACHE_VARIABLE;
pub use peaks::Peaks;
pub(crate) use pipeline::Pipelines;

use crate::error::Result;
use crate::op::Caps;
use cache::Cache;
use fault::Faults;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};

/// Environment variable that names the adapter to take, where the program does not.
pub const ADAPTER_VARIABLE: &str = "WGRAD_ADAPTER";

/// What is to be opened otherwise than by default.
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    adapter: Option<String>,
    cache: Option<Option<PathBuf>>,
}

impl DeviceOptions {
    /// Takes the adapter whose name contains `name`, whatever the case of its letters, in place of what
    /// [`ADAPTER_VARIABLE`] names.
    #[must_use]
    pub fn adapter(mut self, name: impl Into<String>) -> Self {
        self.adapter = Some(name.into());
        self
    }

    /// Keeps compiled pipelines in this folder, or nowhere, in place of where [`CACHE_VARIABLE`] says.
    #[must_use]
    pub fn cache(mut self, folder: Option<PathBuf>) -> Self {
        self.cache = Some(folder);
        self
    }
}

/// An opened adapter. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Device {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    summary: AdapterSummary,
    caps: Caps,
    /// Where compiled pipelines are kept between runs.
    cache_folder: Option<PathBuf>,
    /// Opened when something is first compiled.
    cache: OnceLock<Option<Cache>>,
    /// Measured when they are first asked for.
    peaks: Mutex<Option<Peaks>>,
    faults: Arc<Faults>,
    /// Bytes of uploads that may be in staging memory, about.
    staged: AtomicU64,
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
        pollster::block_on(Device::open_async(&DeviceOptions::default()))
    }

    /// Opens the adapter whose name contains `name`, whatever the case of its letters.
    ///
    /// # Errors
    /// As [`Device::open`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open_named(name: &str) -> Result<Device> {
        pollster::block_on(Device::open_async(&DeviceOptions::default().adapter(name)))
    }

    /// Opens an adapter with options.
    ///
    /// # Errors
    /// As [`Device::open`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open_with(options: &DeviceOptions) -> Result<Device> {
        pollster::block_on(Device::open_async(options))
    }

    /// [`Device::open_with`] without blocking.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub async fn open_async(options: &DeviceOptions) -> Result<Device> {
        let (adapter, device, queue) = adapter::open(options.adapter.as_deref()).await?;
        let info = adapter.get_info();
        let summary = AdapterSummary::of(&info);
        let caps = adapter::caps(&info, &device);
        let faults = Faults::of(&device);
        Ok(Device {
            inner: Arc::new(Inner {
                device,
                queue,
                info,
                summary,
                caps,
                cache_folder: options.cache.clone().unwrap_or_else(cache::default_folder),
                cache: OnceLock::new(),
                peaks: Mutex::default(),
                faults,
                staged: AtomicU64::new(0),
            }),
        })
    }

    /// Which adapter this is.
    pub fn summary(&self) -> &AdapterSummary {
        &self.inner.summary
    }

    /// Limits and traits that plans are made for.
    pub fn caps(&self) -> &Caps {
        &self.inner.caps
    }

    /// What the adapter reaches at the most. The first call measures it, which takes about a second.
    ///
    /// # Errors
    /// A fault of the driver.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn peaks(&self) -> Result<Peaks> {
        self.check()?;
        let mut peaks = match self.inner.peaks.lock() {
            Ok(peaks) => peaks,
            Err(poisoned) => poisoned.into_inner(),
        };
        match *peaks {
            Some(peaks) => Ok(peaks),
            None => Ok(*peaks.insert(peaks::measure(self)?)),
        }
    }

    /// Live allocations of device memory and their bytes, staging memory included, where the
    /// backend tells.
    pub fn allocations(&self) -> Option<(usize, u64)> {
        let report = self.wgpu().generate_allocator_report()?;
        Some((report.allocations.len(), report.total_allocated_bytes))
    }

    /// Whether the device can write timestamps round a pass.
    pub(crate) fn has_timestamps(&self) -> bool {
        self.wgpu().features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// Compiled pipelines that are kept between runs, if they are.
    fn cache(&self) -> Option<&Cache> {
        let open = || Cache::open(self, &self.inner.info, self.inner.cache_folder.as_deref()?);
        self.inner.cache.get_or_init(open).as_ref()
    }

    pub(crate) fn wgpu(&self) -> &wgpu::Device {
        &self.inner.device
    }

    pub(crate) fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }
}
