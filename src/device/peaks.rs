//! An adapter's measured peak rates: multiply-adds and bytes a second, of two kernels that do nothing else.
//! Profiles give shares of them.

use super::{Buffer, Device, Pipelines};
use crate::error::Result;
use crate::instant::Instant;
use crate::op::Caps;
use crate::shader::{Kernel, kernels};
use std::time::Duration;

/// Invocations of a workgroup, for multiply-adds and for copying.
const LANES: u64 = 64;
const COPY_LANES: u64 = 256;
/// Workgroups of the multiply-add kernel: enough to fill a large GPU.
const FMA_GROUPS: u64 = 8192;
const ITERATIONS: u32 = 32;
/// Floating-point operations of one invocation in one iteration: 8 times three vectors of four.
const FLOPS_AN_ITERATION: u64 = 8 * 3 * 4 * 2;
/// Bytes to copy. No cache holds as many.
const COPIED: u64 = 128 << 20;
/// Work is repeated until it takes at least this long, to make the submission's cost negligible.
const WORTH: Duration = Duration::from_millis(30);
/// Number of runs; the best one counts.
const RUNS: usize = 9;

/// An adapter's measured peaks.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Peaks {
    /// Floating-point operations a second in multiply-adds, each counted as two.
    pub flops_per_second: f64,
    /// Bytes read and written a second in copying memory that no cache holds.
    pub bytes_per_second: f64,
}

impl Peaks {
    /// The measuring kernels: multiply-adds, and a copy of as much as such an adapter can bind.
    pub fn kernels(caps: &Caps) -> [Kernel; 2] {
        let vectors = copied(caps) / 16;
        [
            Kernel::new(&kernels::peak_fma)
                .with("ITERATIONS", ITERATIONS)
                .iterations(9 * u64::from(ITERATIONS)),
            Kernel::new(&kernels::peak_copy).with("VECTORS", vectors as u32),
        ]
    }
}

/// Bytes that the copying kernel reads: a multiple of what one workgroup copies, in one dispatch.
fn copied(caps: &Caps) -> u64 {
    let group = 16 * COPY_LANES;
    let most = COPIED.min(caps.max_binding_bytes).min(caps.max_buffer_bytes);
    (most / group).min(u64::from(caps.max_workgroups)) * group
}

/// Measures both peaks. Takes about a second.
pub(super) async fn measure(device: &Device) -> Result<Peaks> {
    let caps = device.caps();
    let kernels = Peaks::kernels(caps);
    let pipelines = Pipelines::compile(device, &kernels.iter().collect::<Vec<_>>())?;
    let fma_groups = FMA_GROUPS.min(u64::from(caps.max_workgroups));
    let seed = device.buffer("peak", 8)?;
    device.write(&seed, 0, bytemuck::cast_slice(&[0.5f32, 1.0]))?;
    let result = device.buffer("peak", 4 * LANES * fma_groups)?;
    let fma = time(device, &pipelines, 0, [&seed, &result], fma_groups).await?;
    let bytes = copied(caps);
    let (source, target) = (device.buffer("peak", bytes)?, device.buffer("peak", bytes)?);
    let copy = time(device, &pipelines, 1, [&source, &target], bytes / (16 * COPY_LANES)).await?;
    let flops = fma_groups * LANES * u64::from(ITERATIONS) * FLOPS_AN_ITERATION;
    Ok(Peaks { flops_per_second: flops as f64 / fma, bytes_per_second: 2.0 * bytes as f64 / copy })
}

/// Seconds of one dispatch.
async fn time(
    device: &Device,
    pipelines: &Pipelines,
    kernel: usize,
    buffers: [&Buffer; 2],
    groups: u64,
) -> Result<f64> {
    let entries = [0, 1]
        .map(|i| wgpu::BindGroupEntry { binding: i as u32, resource: buffers[i].raw.as_entire_binding() });
    let bound = device.guarded(|raw| {
        raw.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("peak"),
            layout: pipelines.layout(kernel),
            entries: &entries,
        })
    })?;
    let run = async |repeats: u32| -> Result<Duration> {
        let commands = || {
            let mut encoder = device.wgpu().create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(pipelines.pipeline(kernel));
            pass.set_bind_group(0, &bound, &[]);
            for _ in 0..repeats {
                pass.dispatch_workgroups(groups as u32, 1, 1);
            }
            drop(pass);
            encoder.finish()
        };
        let start = device.guarded(|_| {
            let commands = commands();
            let start = Instant::now();
            device.queue().submit([commands]);
            start
        })?;
        device.wait_async().await?;
        Ok(start.elapsed())
    };
    // The first run also compiles, on some drivers.
    run(1).await?;
    let mut repeats = 1;
    while run(repeats).await? < WORTH && repeats < 1 << 16 {
        repeats *= 2;
    }
    let mut best = run(repeats).await?;
    for _ in 1..RUNS {
        best = best.min(run(repeats).await?);
    }
    Ok(best.as_secs_f64().max(1e-9) / f64::from(repeats))
}
