//! The device: the adapter, its queue, buffers and pipelines. Only this module and `session/` name `wgpu`.
//!
//! It knows nothing of graphs and steps; those are in `session/`.

mod adapter;
#[cfg(not(target_arch = "wasm32"))]
mod ahead;
mod buffer;
mod cache;
mod choose;
mod embed;
mod fault;
mod peaks;
mod pipeline;
mod poller;
mod progress;
mod wait;

pub use adapter::AdapterSummary;
pub use buffer::Buffer;
pub use cache::CACHE_VARIABLE;
pub use peaks::Peaks;
pub(crate) use pipeline::{Ahead, Pipelines};
pub(crate) use poller::Signal;
pub use progress::Compiling;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use wait::block_on;

use crate::error::Result;
use crate::op::Caps;
use cache::Cache;
use fault::Faults;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Environment variable that says which adapter to open, unless the program does: a number, an id or a part of a name, as
/// [`DeviceOptions::adapter`] takes them.
pub const ADAPTER_VARIABLE: &str = "WGRAD_ADAPTER";

/// Options for opening a device.
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    adapter: Option<String>,
    local_rank: Option<usize>,
    cache: Option<Option<PathBuf>>,
    rewrite: Option<fn(&str) -> String>,
    compiling: Option<progress::Report>,
    cooperative_matrix: bool,
}

impl DeviceOptions {
    /// Opens this adapter instead of the one that [`ADAPTER_VARIABLE`] says. Both are written alike, without regard to
    /// case:
    ///
    /// - `#1`: the second in the list of [`adapters`];
    /// - `0000:01:00.0` or `10de:2330`: the one with this [`AdapterSummary::id`];
    /// - anything else: the first whose name contains it.
    #[must_use]
    pub fn adapter(mut self, wanted: impl Into<String>) -> Self {
        self.adapter = Some(wanted.into());
        self
    }

    /// Opens the adapter of this number in the list of [`adapters`], from 0: `adapter("#1")` for 1.
    #[must_use]
    pub fn adapter_index(self, index: usize) -> Self {
        self.adapter(format!("#{index}"))
    }

    /// Opens number `rank`, counted round, of the adapters that are equal to the one that would be opened: cards of one
    /// model. So the processes of a machine take a card each, or share one
    /// ([`Communicator::local_rank`](crate::parallel::Communicator::local_rank)).
    #[must_use]
    pub fn local_rank(mut self, rank: usize) -> Self {
        self.local_rank = Some(rank);
        self
    }

    /// Keeps compiled pipelines in this folder instead of the one that [`CACHE_VARIABLE`] names; `None`
    /// disables caching.
    #[must_use]
    pub fn cache(mut self, folder: Option<PathBuf>) -> Self {
        self.cache = Some(folder);
        self
    }

    /// Calls `report` for each kernel that [`Session::new`](crate::Session::new) has compiled, once that has taken a
    /// second. Other threads may call it.
    #[must_use]
    pub fn compiling(mut self, report: impl Fn(Compiling) + Send + Sync + 'static) -> Self {
        self.compiling = Some(progress::Report::new(report));
        self
    }

    /// Opens the adapter with cooperative matrices (tensor cores) if it has them; [`Caps::cooperative_matrix`] says whether.
    /// Plans of mixed precision then multiply by them. They are an experimental feature of wgpu, on Vulkan and Metal.
    #[must_use]
    pub fn cooperative_matrix(mut self) -> Self {
        self.cooperative_matrix = true;
        self
    }

    /// Compiles what this makes of each kernel's text, with the driver's checks. For tests, which so have a driver do what
    /// WGSL permits and it does not do.
    #[doc(hidden)]
    #[must_use]
    pub fn rewrite_kernels(mut self, rewrite: fn(&str) -> String) -> Self {
        self.rewrite = Some(rewrite);
        self
    }
}

/// An opened adapter. Cheap to clone.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::Device;
///
/// let device = Device::open()?; // the most capable adapter
/// println!("{}", device.summary());
/// println!("largest binding: {} bytes", device.caps().max_binding_bytes);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Device {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Whether an app has opened it.
    is_embedded: bool,
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    summary: AdapterSummary,
    caps: Caps,
    /// Folder for compiled pipelines.
    cache_folder: Option<PathBuf>,
    /// What is made of each kernel's text before it is compiled.
    rewrite: Option<fn(&str) -> String>,
    compiling: Option<progress::Report>,
    /// What its sessions have compiled.
    alive: Mutex<pipeline::Alive>,
    /// Held by the thread that compiles.
    compiles: Mutex<()>,
    /// Opened at the first compilation.
    cache: OnceLock<Option<Cache>>,
    /// Measured at the first call of [`Device::peaks`].
    peaks: Mutex<Option<Peaks>>,
    faults: Arc<Faults>,
    /// Estimate of the bytes of pending uploads in staging memory.
    staged: AtomicU64,
}

#[cfg(not(target_arch = "wasm32"))]
impl Drop for Inner {
    fn drop(&mut self) {
        self.faults.waits.close();
    }
}

/// The adapters of this machine. [`Device::open`] opens the first by default; [`DeviceOptions::adapter`] chooses any, by
/// its number here, its id or its name.
#[cfg(not(target_arch = "wasm32"))]
pub fn adapters() -> Vec<AdapterSummary> {
    let adapters = block_on(adapter::all());
    let summary = |(i, adapter): (usize, &wgpu::Adapter)| AdapterSummary::of(&adapter.get_info()).numbered(i);
    adapters.iter().enumerate().map(summary).collect()
}

impl Device {
    /// Opens the adapter that [`ADAPTER_VARIABLE`] names, otherwise the most capable one. Blocks; in a
    /// browser use [`Device::open_async`].
    ///
    /// # Errors
    /// No adapter, none of that number, id or name, or one that can't be opened. The message lists the adapters.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open() -> Result<Device> {
        block_on(Device::open_async(&DeviceOptions::default()))
    }

    /// Opens the adapter of this number, id or name, as [`DeviceOptions::adapter`] takes them.
    ///
    /// # Errors
    /// As [`Device::open`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open_named(name: &str) -> Result<Device> {
        block_on(Device::open_async(&DeviceOptions::default().adapter(name)))
    }

    /// Opens an adapter with options.
    ///
    /// # Errors
    /// As [`Device::open`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open_with(options: &DeviceOptions) -> Result<Device> {
        block_on(Device::open_async(options))
    }

    /// Opens every adapter that is equal to the one that [`Device::open`] opens: all cards of one model.
    ///
    /// # Errors
    /// As [`Device::open`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open_all() -> Result<Vec<Device>> {
        let count = block_on(choose::count()).max(1);
        let open = |rank| Device::open_with(&DeviceOptions::default().local_rank(rank));
        (0..count).map(open).collect()
    }

    /// [`Device::open_with`], for browsers. Natively it blocks: drivers open an adapter in one call.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub async fn open_async(options: &DeviceOptions) -> Result<Device> {
        let (adapter, index, device, queue) =
            adapter::open(options.adapter.as_deref(), options.local_rank, options.cooperative_matrix).await?;
        let info = adapter.get_info();
        let summary = AdapterSummary::of(&info).numbered(index);
        Ok(Device::assemble(&adapter, summary, device, queue, options, false))
    }

    fn assemble(
        adapter: &wgpu::Adapter,
        summary: AdapterSummary,
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: &DeviceOptions,
        is_embedded: bool,
    ) -> Device {
        let caps = adapter::caps(adapter, &device);
        let faults = Arc::new(Faults::default());
        if !is_embedded {
            faults.listen(&device);
        }
        Device {
            inner: Arc::new(Inner {
                is_embedded,
                device,
                queue,
                info: adapter.get_info(),
                summary,
                caps,
                cache_folder: options.cache.clone().unwrap_or_else(cache::default_folder),
                rewrite: options.rewrite,
                compiling: options.compiling.clone(),
                alive: Mutex::default(),
                compiles: Mutex::default(),
                cache: OnceLock::new(),
                peaks: Mutex::default(),
                faults,
                staged: AtomicU64::new(0),
            }),
        }
    }

    /// Name, backend and driver of the adapter.
    pub fn summary(&self) -> &AdapterSummary {
        &self.inner.summary
    }

    /// The adapter's limits and features, which plans are made for.
    pub fn caps(&self) -> &Caps {
        &self.inner.caps
    }

    /// The adapter's peak rates. The first call measures them, which takes about a second.
    ///
    /// # Errors
    /// A fault of the driver.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn peaks(&self) -> Result<Peaks> {
        block_on(self.peaks_async())
    }

    /// [`Device::peaks`] without blocking for the GPU. The first call blocks while the driver compiles two kernels.
    ///
    /// # Errors
    /// As [`Device::peaks`].
    pub async fn peaks_async(&self) -> Result<Peaks> {
        self.check()?;
        let known = || self.inner.peaks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peaks) = *known() {
            return Ok(peaks);
        }
        let measured = peaks::measure(self).await?;
        // The first measurement stays, if several began together.
        Ok(*known().get_or_insert(measured))
    }

    /// Number and bytes of live allocations of device memory, staging memory included; `None` if the backend
    /// can't tell.
    pub fn allocations(&self) -> Option<(usize, u64)> {
        let report = self.wgpu().generate_allocator_report()?;
        Some((report.allocations.len(), report.total_allocated_bytes))
    }

    /// Whether the device can write timestamps around a pass.
    pub(crate) fn has_timestamps(&self) -> bool {
        self.wgpu().features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// The cache of compiled pipelines, if there is one.
    fn cache(&self) -> Option<&Cache> {
        let open = || Cache::open(self, &self.inner.info, self.inner.cache_folder.as_deref()?);
        self.inner.cache.get_or_init(open).as_ref()
    }

    /// Whether the library polls the device of its own accord.
    pub(crate) fn polls(&self) -> bool {
        cfg!(not(target_arch = "wasm32")) && !self.inner.is_embedded
    }

    /// Whether an app has opened the device.
    pub(crate) fn is_embedded(&self) -> bool {
        self.inner.is_embedded
    }

    pub(crate) fn wgpu(&self) -> &wgpu::Device {
        &self.inner.device
    }

    pub(crate) fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }
}
