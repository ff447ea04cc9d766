//! The part `adapter`: what the adapter, its driver and this machine are.

use crate::results::Results;
use serde_json::{Value, json};
use wgrad::op::AdapterKind;
use wgrad::{Caps, Device, device};

/// Writes the part.
pub fn run(results: &mut Results) -> Result<(), wgrad::Error> {
    let device = Device::open()?;
    let summary = device.summary();
    results.set(
        "adapter",
        json!({
            "name": summary.name,
            "backend": summary.backend,
            "driver": summary.driver,
            "software": summary.software,
        }),
    );
    results.set("caps", caps(device.caps()));
    let all: Vec<String> = device::adapters().iter().map(ToString::to_string).collect();
    results.set("adapters", all);
    results.set("machine", machine());
    // It is another device, and the part goes on without it.
    match mixed() {
        Ok(mixed) => results.set("mixed", mixed),
        Err(error) => results.wrong(format!("the adapter with cooperative matrices: {error}")),
    }
    match raw(&summary.name, &summary.backend) {
        Some(adapter) => results.set("driver", described(&adapter)),
        None => {
            results.note("The adapter was not found a second time, so the driver's own figures are missing.")
        }
    }
    if device.caps().kind == AdapterKind::Software {
        results.note("This is a software adapter: kernels run on the processor, and no figure says anything about a GPU. All sizes are small, so that a rehearsal ends.");
    }
    let peaks = device.peaks()?;
    results.set(
        "peaks",
        json!({ "flops_per_second": peaks.flops_per_second, "bytes_per_second": peaks.bytes_per_second }),
    );
    Ok(())
}

/// What plans of mixed precision have here.
fn mixed() -> Result<Value, wgrad::Error> {
    let caps = crate::mixed::open()?.caps().clone();
    let matrix =
        caps.cooperative_matrix.map(|matrix| json!({ "side": matrix.side, "subgroup": matrix.subgroup }));
    Ok(json!({
        "f16": caps.f16,
        "cooperative": matrix,
        "cooperative_matrices": caps.cooperative_matrix.map_or("none".into(), |matrix| {
            format!("{0} x {0} of f16 with sums of f32, subgroups of at least {1}", matrix.side, matrix.subgroup)
        }),
    }))
}

fn caps(caps: &Caps) -> Value {
    json!({
        "kind": caps.kind.to_string(),
        "max_binding_bytes": caps.max_binding_bytes,
        "max_buffer_bytes": caps.max_buffer_bytes,
        "max_storage_buffers": caps.max_storage_buffers,
        "max_workgroup_bytes": caps.max_workgroup_bytes,
        "max_invocations": caps.max_invocations,
        "max_workgroups": caps.max_workgroups,
        "offset_alignment": caps.offset_alignment,
        "subgroups": caps.subgroups,
        "subgroup_size": caps.subgroup_size,
    })
}

/// The GPU library's adapter of this name and backend.
fn raw(name: &str, backend: &str) -> Option<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let is_it = |adapter: &wgpu::Adapter| {
        let info = adapter.get_info();
        info.name == name && format!("{:?}", info.backend) == backend
    };
    adapters.into_iter().find(is_it)
}

/// What the driver says beyond what plans need: features, subgroup sizes, and the matrix units' sizes.
fn described(adapter: &wgpu::Adapter) -> Value {
    let (info, features, limits) = (adapter.get_info(), adapter.features(), adapter.limits());
    let matrices: Vec<Value> = adapter
        .cooperative_matrix_properties()
        .iter()
        .map(|matrix| {
            json!({
                "m": matrix.m_size,
                "n": matrix.n_size,
                "k": matrix.k_size,
                "operands": format!("{:?}", matrix.ab_type).to_lowercase(),
                "result": format!("{:?}", matrix.cr_type).to_lowercase(),
                "saturating": matrix.saturating_accumulation,
            })
        })
        .collect();
    let names: Vec<&str> = features.iter_names().map(|(name, _)| name).collect();
    json!({
        "type": format!("{:?}", info.device_type),
        "vendor": format!("{:#06x}", info.vendor),
        "device": format!("{:#06x}", info.device),
        "driver": info.driver,
        "driver_info": info.driver_info,
        "subgroup_min_size": info.subgroup_min_size,
        "subgroup_max_size": info.subgroup_max_size,
        "timestamps": features.contains(wgpu::Features::TIMESTAMP_QUERY),
        "f16": features.contains(wgpu::Features::SHADER_F16),
        "cooperative_matrix": features.contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
        "cooperative_matrices": matrices,
        "features": names,
        "workgroup_size": [
            limits.max_compute_workgroup_size_x,
            limits.max_compute_workgroup_size_y,
            limits.max_compute_workgroup_size_z,
        ],
    })
}

/// Processor, memory and system, as far as Linux tells.
fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, start: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(start));
        line.map(|rest| rest.trim_start_matches([' ', '\t', ':', '=']).trim_matches('"').to_owned())
    };
    json!({
        "processor": after(&read("/proc/cpuinfo"), "model name"),
        "threads": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": after(&read("/proc/meminfo"), "MemTotal"),
        "system": after(&read("/etc/os-release"), "PRETTY_NAME"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
    })
}
