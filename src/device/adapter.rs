//! Chooses and opens an adapter, and describes it.

use super::ADAPTER_VARIABLE;
use crate::error::{Error, Result};
use crate::op::{AdapterKind, Caps};
use std::fmt;

/// An adapter's name, backend and driver, for people and reports.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct AdapterSummary {
    /// The adapter's own name.
    pub name: String,
    /// Vulkan, Metal, Dx12 or BrowserWebGpu.
    pub backend: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Whether it is a software adapter, which runs kernels on the processor.
    pub software: bool,
}

impl AdapterSummary {
    pub(super) fn of(info: &wgpu::AdapterInfo) -> Self {
        AdapterSummary {
            name: if info.name.is_empty() { "an adapter without a name".into() } else { info.name.clone() },
            backend: format!("{:?}", info.backend),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            software: is_software(info),
        }
    }
}

impl fmt::Display for AdapterSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.backend)?;
        if !self.driver.is_empty() {
            write!(f, ", {}", self.driver)?;
        }
        write!(f, ")")?;
        if self.software {
            write!(f, ", a software adapter: kernels run on the processor")?;
        }
        Ok(())
    }
}

fn is_software(info: &wgpu::AdapterInfo) -> bool {
    let name = info.name.to_lowercase();
    info.device_type == wgpu::DeviceType::Cpu
        || ["llvmpipe", "lavapipe", "swiftshader"].iter().any(|s| name.contains(s))
}

/// All adapters of this machine, the most capable first.
pub(super) async fn all() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        flags: wgpu::InstanceFlags::empty().with_env(),
        ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
    });
    let mut adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    if adapters.is_empty() {
        // A browser offers one adapter instead of a list.
        adapters.extend(instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await.ok());
    }
    // GPUs with their own memory come first, software adapters last.
    adapters.sort_by_key(|a| rank(&a.get_info()));
    adapters
}

/// The name that an adapter's has to contain.
fn wanted(name: Option<&str>) -> Option<String> {
    let from_environment = std::env::var(ADAPTER_VARIABLE).ok().filter(|n| !n.is_empty());
    name.map(str::to_owned).or(from_environment)
}

fn is_named(adapter: &wgpu::Adapter, wanted: &str) -> bool {
    adapter.get_info().name.to_lowercase().contains(&wanted.to_lowercase())
}

/// Finds and opens an adapter; with a number, that one of those that are equal to it, counted round.
pub(super) async fn open(
    name: Option<&str>,
    number: Option<usize>,
) -> Result<(wgpu::Adapter, wgpu::Device, wgpu::Queue)> {
    let wanted = wanted(name);
    let mut adapters = all().await;
    let list = adapters.iter().map(|a| format!("\"{}\"", a.get_info().name)).collect::<Vec<_>>().join(", ");
    if adapters.is_empty() {
        return Err(Error::Adapter(
            "none was found; install a graphics driver, or a software one \
             (Debian, Ubuntu: apt-get install mesa-vulkan-drivers)"
                .into(),
        ));
    }
    let mut at = match wanted {
        None => 0,
        Some(wanted) => match adapters.iter().position(|adapter| is_named(adapter, &wanted)) {
            Some(i) => i,
            None => {
                return Err(Error::Adapter(format!(
                    "none is named \"{wanted}\"; there are {list}; name one of them in --adapter or {ADAPTER_VARIABLE}"
                )));
            }
        },
    };
    if let Some(number) = number {
        let equal = equal(&adapters, at);
        at = equal[number % equal.len()];
    }
    let adapter = adapters.swap_remove(at);
    let offered = adapter.features();
    let useful = wgpu::Features::SUBGROUP | wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::PIPELINE_CACHE;
    let (device, queue) = adapter
        .request_device(&wgpu::DeviceDescriptor {
            label: Some("wgrad"),
            required_features: offered & useful,
            required_limits: adapter.limits(),
            // Small blocks, because a small network's buffers would leave megabytes of a large one empty.
            memory_hints: wgpu::MemoryHints::Manual {
                suballocated_device_memory_block_size: (1 << 20)..(8 << 20),
            },
            ..Default::default()
        })
        .await
        .map_err(|e| Error::Adapter(format!("\"{}\" can't be opened: {e}", adapter.get_info().name)))?;
    Ok((adapter, device, queue))
}

/// The places of adapters that are equal to the one at a place: several cards of one model, by one driver.
fn equal(adapters: &[wgpu::Adapter], at: usize) -> Vec<usize> {
    let kind = |adapter: &wgpu::Adapter| {
        let wgpu::AdapterInfo { name, vendor, device, device_type, driver, driver_info, backend, .. } =
            adapter.get_info();
        (name, vendor, device, device_type, driver, driver_info, backend)
    };
    let wanted = kind(&adapters[at]);
    (0..adapters.len()).filter(|&other| kind(&adapters[other]) == wanted).collect()
}

/// How many adapters are equal to the one that would be opened.
#[cfg(not(target_arch = "wasm32"))]
pub(super) async fn count(name: Option<&str>) -> usize {
    let (adapters, wanted) = (all().await, wanted(name));
    let matches = |adapter: &wgpu::Adapter| wanted.as_deref().is_none_or(|wanted| is_named(adapter, wanted));
    adapters.iter().position(matches).map_or(0, |at| equal(&adapters, at).len())
}

fn rank(info: &wgpu::AdapterInfo) -> u32 {
    if is_software(info) {
        return 4;
    }
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        _ => 3,
    }
}

pub(super) fn caps(info: &wgpu::AdapterInfo, device: &wgpu::Device) -> Caps {
    let limits = device.limits();
    let in_browser = info.backend == wgpu::Backend::BrowserWebGpu;
    let kind = if is_software(info) {
        let swiftshader = in_browser || info.name.contains("SwiftShader");
        if swiftshader { AdapterKind::SwiftShader } else { AdapterKind::Software }
    } else if info.backend == wgpu::Backend::Metal {
        AdapterKind::Apple
    } else if in_browser || info.device_type == wgpu::DeviceType::IntegratedGpu {
        // A browser does not tell what its GPU is. Most are of this kind, and what suits them suits others too.
        AdapterKind::Integrated
    } else {
        AdapterKind::Discrete
    };
    let fixed = info.subgroup_min_size == info.subgroup_max_size;
    Caps {
        kind,
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        max_invocations: limits.max_compute_invocations_per_workgroup,
        max_workgroups: limits.max_compute_workgroups_per_dimension,
        offset_alignment: limits.min_storage_buffer_offset_alignment,
        subgroups: device.features().contains(wgpu::Features::SUBGROUP),
        subgroup_size: if fixed { info.subgroup_min_size } else { 0 },
    }
}
