//! The watch's own dispatches: scans of small tensors by a table, and the dispatch that ends a step.

use crate::device::{Buffer, Device, Pipelines};
use crate::error::Result;
use crate::plan::{Place, Plan, Watching, fold};
use crate::shader::{Kernel, kernels};
use crate::weights::Weights;
use std::fmt::Write as _;

/// The most words that one workgroup scans.
const ROW_WORDS: u64 = 4096;

/// Bindings of `watch_gather` for table and counts.
const OWN_BINDINGS: usize = 2;

/// A dispatch with everything it binds.
#[derive(Debug)]
struct Prepared {
    kernel: usize,
    bind_group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

/// The dispatches before the first step and after each.
#[derive(Debug)]
pub(super) struct Scans {
    pipelines: Pipelines,
    before: Vec<Prepared>,
    after: Vec<Prepared>,
}

/// A part of a buffer that fits one binding.
struct Window {
    buffer: Buffer,
    start: u64,
    end: u64,
    /// Count's number, first byte and length of each tensor in it.
    tensors: Vec<(usize, u64, u64)>,
}

impl Scans {
    pub(super) fn new(device: &Device, plan: &Plan, weights: &Weights, buffers: &[Buffer]) -> Result<Scans> {
        let watching = plan.watching.as_ref().expect("the caller found it");
        let sources = sources(plan);
        let kernels = kernels(plan);
        let pipelines = Pipelines::compile(device, &kernels.iter().collect::<Vec<_>>())?;
        let mut scans = Scans { pipelines, before: Vec::new(), after: Vec::new() };
        let (counts, report) = (&buffers[watching.counts], &buffers[watching.report]);
        let windows = |tensors: &[(usize, crate::graph::Value)]| -> Result<Vec<Window>> {
            let mut located = Vec::new();
            for &(count, value) in tensors {
                let (buffer, offset) = match plan.place(value) {
                    Some(Place::Owned { buffer, offset, .. }) => (&buffers[buffer], offset),
                    _ => weights.place(plan.graph(), &[plan.graph().storage(value)])?,
                };
                located.push((buffer.clone(), count, offset, plan.graph().info(value).ty.bytes()));
            }
            Ok(grouped(located, plan.caps().max_binding_bytes))
        };
        for window in windows(&watching.before)?.chunks(sources) {
            let made = scans.prepare(device, plan, counts, window, sources)?;
            scans.before.push(made);
        }
        for window in windows(&watching.after)?.chunks(sources) {
            let made = scans.prepare(device, plan, counts, window, sources)?;
            scans.after.push(made);
        }
        let groups = fold((watching.watched.len() as u64).div_ceil(64), plan.caps().max_workgroups);
        let bind_group = scans.bind(device, 1, &[(counts, 0, None), (report, 0, None)])?;
        scans.after.push(Prepared { kernel: 1, bind_group, workgroups: groups });
        Ok(scans)
    }

    fn prepare(
        &self,
        device: &Device,
        plan: &Plan,
        counts: &Buffer,
        windows: &[Window],
        sources: usize,
    ) -> Result<Prepared> {
        let stride = plan.watching.as_ref().map_or(4, |watching| watching.stride) / 4;
        let mut rows: Vec<[u32; 4]> = Vec::new();
        for (source, window) in windows.iter().enumerate() {
            for &(count, offset, bytes) in &window.tensors {
                let (first, words) = ((offset - window.start) / 4, bytes / 4);
                for at in (0..words).step_by(ROW_WORDS as usize) {
                    let row = [source as u64, first + at, (words - at).min(ROW_WORDS), count as u64 * stride];
                    rows.push(row.map(|word| word as u32));
                }
            }
        }
        let bytes: &[u8] = bytemuck::cast_slice(&rows);
        let table = device.buffer("watch", bytes.len() as u64)?;
        device.write(&table, 0, bytes)?;
        let mut bound = vec![(&table, 0, None), (counts, 0, None)];
        // The last source fills the remaining bindings.
        let last = windows.len() - 1;
        for window in (0..sources).map(|i| &windows[i.min(last)]) {
            bound.push((&window.buffer, window.start, Some(window.end - window.start)));
        }
        let bind_group = self.bind(device, 0, &bound)?;
        let workgroups = fold(rows.len() as u64, plan.caps().max_workgroups);
        Ok(Prepared { kernel: 0, bind_group, workgroups })
    }

    fn bind(
        &self,
        device: &Device,
        kernel: usize,
        bound: &[(&Buffer, u64, Option<u64>)],
    ) -> Result<wgpu::BindGroup> {
        let entries: Vec<wgpu::BindGroupEntry<'_>> = bound
            .iter()
            .enumerate()
            .map(|(binding, &(buffer, offset, bytes))| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &buffer.raw,
                    offset,
                    size: bytes.and_then(wgpu::BufferSize::new),
                }),
            })
            .collect();
        device.guarded(|raw| {
            raw.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("watch"),
                layout: self.pipelines.layout(kernel),
                entries: &entries,
            })
        })
    }

    pub(super) fn encode_before(&self, encoder: &mut wgpu::CommandEncoder) -> u64 {
        self.encode(&self.before, encoder)
    }

    pub(super) fn encode_after(&self, encoder: &mut wgpu::CommandEncoder) -> u64 {
        self.encode(&self.after, encoder)
    }

    /// Encodes these dispatches. Returns their number.
    fn encode(&self, prepared: &[Prepared], encoder: &mut wgpu::CommandEncoder) -> u64 {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for dispatch in prepared {
            let [x, y, z] = dispatch.workgroups;
            pass.set_pipeline(self.pipelines.pipeline(dispatch.kernel));
            pass.set_bind_group(0, &dispatch.bind_group, &[]);
            pass.dispatch_workgroups(x, y, z);
        }
        prepared.len() as u64
    }
}

/// The most buffers that one table covers.
fn sources(plan: &Plan) -> usize {
    (plan.caps().max_storage_buffers as usize).saturating_sub(OWN_BINDINGS).clamp(1, 6)
}

/// The kernels that a session adds to its plan's for the numerics watch; none without a watch.
pub fn kernels(plan: &Plan) -> Vec<Kernel> {
    let kernels = |watching| vec![gather(sources(plan), watching), close(watching)];
    plan.watching.as_ref().map_or_else(Vec::new, kernels)
}

/// Groups tensors by buffer, in windows that can be bound. A window starts at a tensor, whose offset is
/// aligned.
fn grouped(mut located: Vec<(Buffer, usize, u64, u64)>, most: u64) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    // Sorted by offset, so that a window holds neighbours.
    located.sort_by_key(|&(_, _, offset, _)| offset);
    for (buffer, count, offset, bytes) in located {
        let end = offset + bytes;
        let fits = |window: &&mut Window| window.buffer.raw == buffer.raw && end - window.start <= most;
        match windows.iter_mut().find(fits) {
            Some(window) => {
                window.end = window.end.max(end);
                window.tensors.push((count, offset, bytes));
            }
            None => {
                windows.push(Window { buffer, start: offset, end, tensors: vec![(count, offset, bytes)] })
            }
        }
    }
    windows
}

/// The kernel of tables over this many sources.
fn gather(sources: usize, watching: &Watching) -> Kernel {
    let (mut declarations, mut cases) = (String::new(), String::new());
    for i in 0..sources {
        let binding = OWN_BINDINGS + i;
        let _ = writeln!(
            declarations,
            "@group(0) @binding({binding}) var<storage, read> source_{i}: array<u32>;"
        );
        let label = if i == 0 { "default".to_owned() } else { format!("case {i}u") };
        let _ = writeln!(cases, "        {label}: {{\n            return source_{i}[at];\n        }}");
    }
    let word = format!(
        "{declarations}fn word(source: u32, at: u32) -> u32 {{\n    switch source {{\n{cases}    }}\n}}\n"
    );
    Kernel::new(&kernels::watch_gather)
        .fill_written(&["word"], &[], word)
        .with("LEAST_BITS", watching.least_bits as u32)
        .iterations(ROW_WORDS / 64)
}

/// The kernel that ends a step.
fn close(watching: &Watching) -> Kernel {
    Kernel::new(&kernels::watch_close)
        .with("COUNTS", watching.watched.len() as u32)
        .with("STRIDE", (watching.stride / 4) as u32)
}
