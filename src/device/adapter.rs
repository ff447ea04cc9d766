//! Lists and opens adapters, and describes them.

use super::choose;
use crate::error::{Error, Result};
use crate::op::{AdapterKind, Caps, CooperativeMatrix};
use std::fmt;

/// Features that make something better, and what each is called here.
pub(super) const USEFUL: [(wgpu::Features, &str); 4] = [
    (wgpu::Features::SUBGROUP, "subgroups"),
    (wgpu::Features::SHADER_F16, "16-bit floats"),
    (wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
    (wgpu::Features::PIPELINE_CACHE, "a pipeline cache"),
];

pub(super) fn useful() -> wgpu::Features {
    USEFUL.iter().fold(wgpu::Features::empty(), |all, (feature, _)| all | *feature)
}

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
    /// Number in the list of [`adapters`](super::adapters). `None` for the adapter of an app.
    pub index: Option<usize>,
    /// Its place on the PCI bus where the driver tells it (`0000:01:00.0`), otherwise vendor and device in hexadecimal
    /// digits (`10de:2330`), which cards of one model share.
    pub id: String,
    /// Useful features that the adapter has and an app's device was opened without: what they would make better is slower,
    /// or is not there ([`Device::useful_features`](crate::Device::useful_features)).
    pub without: Vec<&'static str>,
}

impl AdapterSummary {
    pub(super) fn of(info: &wgpu::AdapterInfo) -> Self {
        AdapterSummary {
            name: if info.name.is_empty() { "an adapter without a name".into() } else { info.name.clone() },
            backend: format!("{:?}", info.backend),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            software: is_software(info),
            index: None,
            id: choose::id(info),
            without: Vec::new(),
        }
    }

    pub(super) fn numbered(self, index: usize) -> Self {
        AdapterSummary { index: Some(index), ..self }
    }

    /// Number, id and name, such as `#1 0000:c1:00.0 "Card 9000"`. [`DeviceOptions::adapter`](super::DeviceOptions::adapter)
    /// takes any of them.
    pub fn label(&self) -> String {
        let index = self.index.map(|index| format!("#{index} ")).unwrap_or_default();
        format!("{index}{} \"{}\"", self.id, self.name)
    }
}

impl fmt::Display for AdapterSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.backend)?;
        if !self.driver.is_empty() {
            write!(f, ", {}", self.driver)?;
        }
        write!(f, ")")?;
        if !self.without.is_empty() {
            write!(f, ", opened without {}", self.without.join(", "))?;
        }
        if self.software {
            write!(f, ", a software adapter: kernels run on the processor")?;
        }
        Ok(())
    }
}

fn is_software(info: &wgpu::AdapterInfo) -> bool {
    let name = info.name.to_ascii_lowercase();
    info.device_type == wgpu::DeviceType::Cpu
        || ["llvmpipe", "lavapipe", "swiftshader"].iter().any(|s| name.contains(s))
}

/// All adapters of this machine, the most capable first.
pub(super) async fn all() -> Vec<wgpu::Adapter> {
    let mut options = wgpu::InstanceDescriptor::new_without_display_handle();
    options.flags = wgpu::InstanceFlags::empty();
    // A page has no environment, and does not hold what would read it.
    if cfg!(not(target_arch = "wasm32")) {
        options = options.with_env();
    }
    let instance = wgpu::Instance::new(options);
    let mut adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    if adapters.is_empty() {
        // A browser offers one adapter instead of a list.
        adapters.extend(instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await.ok());
    }
    // GPUs with their own memory come first, software adapters last.
    adapters.sort_by_key(|a| rank(&a.get_info()));
    adapters
}

/// Finds and opens an adapter; with a number, that one of those that are equal to it, counted round. `cooperative` asks for
/// cooperative matrices.
pub(super) async fn open(
    wanted: Option<&str>,
    number: Option<usize>,
    cooperative: bool,
) -> Result<(wgpu::Adapter, usize, wgpu::Device, wgpu::Queue)> {
    let mut adapters = all().await;
    let infos: Vec<_> = adapters.iter().map(wgpu::Adapter::get_info).collect();
    let mut at = choose::choose(&infos, choose::wanted(wanted).as_deref())?;
    if let Some(number) = number {
        let equal = choose::equal(&infos, at);
        at = equal[number % equal.len()];
    }
    let adapter = adapters.swap_remove(at);
    let mut features = useful();
    let mut experimental = wgpu::ExperimentalFeatures::disabled();
    if cooperative && cooperative_matrix(&adapter).is_some() {
        features |= wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
        // SAFETY: the kernels that use it load and store within the workgroup memory that they declare, whole matrices at a
        // time, in control flow that is uniform; the tests run all of them.
        experimental = unsafe { wgpu::ExperimentalFeatures::enabled() };
    }
    let (device, queue) = adapter
        .request_device(&wgpu::DeviceDescriptor {
            label: Some("wgrad"),
            required_features: adapter.features() & features,
            experimental_features: experimental,
            required_limits: adapter.limits(),
            // Small blocks, because a small network's buffers would leave megabytes of a large one empty.
            memory_hints: wgpu::MemoryHints::Manual {
                suballocated_device_memory_block_size: (1 << 20)..(8 << 20),
            },
            ..Default::default()
        })
        .await
        .map_err(|e| Error::Adapter(format!("\"{}\" can't be opened: {e}", adapter.get_info().name)))?;
    Ok((adapter, at, device, queue))
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

/// The cooperative matrices that kernels can use: square ones of f16, whose products are added in f32. The largest, if there
/// are several.
fn cooperative_matrix(adapter: &wgpu::Adapter) -> Option<CooperativeMatrix> {
    use wgpu::CooperativeScalarType::{F16, F32};
    let needed = wgpu::Features::SUBGROUP
        | wgpu::Features::SHADER_F16
        | wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
    let subgroup = adapter.get_info().subgroup_min_size;
    if !adapter.features().contains(needed) || !subgroup.is_power_of_two() {
        return None;
    }
    let all = adapter.cooperative_matrix_properties().into_iter();
    let sides = all.filter_map(|matrix| {
        let square = matrix.m_size == matrix.n_size && matrix.n_size == matrix.k_size;
        (square && matrix.ab_type == F16 && matrix.cr_type == F32).then_some(matrix.m_size)
    });
    sides.max().map(|side| CooperativeMatrix { side, subgroup })
}

pub(super) fn caps(adapter: &wgpu::Adapter, device: &wgpu::Device) -> Caps {
    let info = &adapter.get_info();
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
        f16: device.features().contains(wgpu::Features::SHADER_F16),
        subgroup_size: if fixed { info.subgroup_min_size } else { 0 },
        cooperative_matrix: cooperative_matrix(adapter)
            .filter(|_| device.features().contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX)),
    }
}
