//! Devices that an app has opened. The library asks for limits, and neither polls nor waits of its own accord.

use super::adapter::{AdapterSummary, USEFUL, useful};
use super::{Device, DeviceOptions};
use crate::error::{Error, Result};

impl Device {
    /// Takes a device that an app has opened by wgpu, to share its buffers and encoders. [`wgrad::wgpu`](crate::wgpu) is
    /// the version that fits.
    ///
    /// Such a device stays the app's. Nothing polls it or waits for it behind the app's back:
    ///
    /// - [`Session::step`](crate::Session::step), `write` and `encode_step` never wait, however far the GPU is behind. The
    ///   app sets the pace, for example by its frames. Inputs are staged in memory that the app's polling frees; where none
    ///   is free, more is allocated.
    /// - Futures such as [`Session::read_async`](crate::Session::read_async) end when the app polls or submits.
    ///   [`Device::set_wait_limit`] does not limit them.
    /// - Blocking calls such as [`Device::wait`] and [`Session::read`](crate::Session::read) poll, because the app asks
    ///   them to wait.
    /// - The app keeps its handlers of lost devices and of errors that no scope catches. It passes a loss on by
    ///   [`Device::report_lost`]. Errors of this library's calls are returned by them.
    ///
    /// ```no_run
    /// use wgrad::{Device, wgpu};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # pollster::block_on(async {
    /// let instance = wgpu::Instance::default();
    /// let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await?;
    /// let (device, queue) = adapter
    ///     .request_device(&wgpu::DeviceDescriptor {
    ///         required_features: Device::useful_features(&adapter),
    ///         required_limits: Device::required_limits().or_better_values_from(&adapter.limits()),
    ///         ..Default::default()
    ///     })
    ///     .await?;
    /// let shared = Device::from_wgpu(&adapter, device.clone(), queue.clone())?;
    /// # drop(shared);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Adapter`] with every limit that is too small.
    pub fn from_wgpu(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Result<Device> {
        Device::from_wgpu_with(adapter, device, queue, &DeviceOptions::default())
    }

    /// [`Device::from_wgpu`] with options: the folder for compiled pipelines, and what is told while they are compiled. The
    /// choice of an adapter has no effect.
    ///
    /// # Errors
    /// As [`Device::from_wgpu`].
    pub fn from_wgpu_with(
        adapter: &wgpu::Adapter,
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: &DeviceOptions,
    ) -> Result<Device> {
        let info = adapter.get_info();
        let small = too_small(&device.limits());
        if !small.is_empty() {
            return Err(Error::Adapter(format!(
                "the device of \"{}\" has limits that are too small: {}; request Device::required_limits or more",
                info.name,
                small.join("; ")
            )));
        }
        let unused = adapter.features() & !device.features();
        let without = USEFUL.iter().filter(|(feature, _)| unused.contains(*feature)).map(|&(_, name)| name);
        let summary = AdapterSummary { without: without.collect(), ..AdapterSummary::of(&info) };
        Ok(Device::assemble(adapter, summary, device, queue, options, true))
    }

    /// The least limits that a device needs: WebGPU's defaults, which every adapter has that WebGPU runs on. Larger ones let
    /// larger networks run; [`Caps`](crate::Caps) says which count.
    pub fn required_limits() -> wgpu::Limits {
        wgpu::Limits::default()
    }

    /// The features of an adapter that make kernels faster, profiles finer and later starts shorter. None is needed;
    /// [`AdapterSummary::without`] has those that a device was opened without.
    pub fn useful_features(adapter: &wgpu::Adapter) -> wgpu::Features {
        adapter.features() & useful()
    }

    /// Passes the loss of an app's device on, for example from wgpu's device-lost callback. From now on every call fails
    /// with [`Error::DeviceLost`], and futures that wait end.
    pub fn report_lost(&self, reason: impl AsRef<str>) {
        self.inner.faults.lose(reason.as_ref());
    }
}

/// The limits that kernels rely on, by WebGPU's names.
const NEEDED: [&str; 8] = [
    "max_storage_buffers_per_shader_stage",
    "max_compute_workgroup_storage_size",
    "max_compute_invocations_per_workgroup",
    "max_compute_workgroup_size_x",
    "max_compute_workgroup_size_y",
    "max_compute_workgroups_per_dimension",
    "max_storage_buffer_binding_size",
    "max_buffer_size",
];

/// The limits that are below what kernels rely on, each with what was expected and found.
fn too_small(found: &wgpu::Limits) -> Vec<String> {
    let mut small = Vec::new();
    Device::required_limits().check_limits_with_fail_fn(found, false, |name, least, found| {
        if NEEDED.contains(&name) {
            small.push(format!("{name} is {found}, expected at least {least}"));
        }
    });
    small
}
