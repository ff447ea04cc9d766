//! What a step sums over micro-batches, on the device: buckets of gradients, and with the last of them running statistics
//! and losses. A sum that grows lies where the gradients are made; those that wait for it lie in memory of their own.

use super::scalars::Scalars;
use super::staging::Staging;
use crate::device::{Buffer, Device, Pipelines};
use crate::error::Result;
use crate::op::{ALIGNMENT, arena_bytes};
use crate::parallel::{Join, Joins};
use crate::plan::{Bucket as Complete, fold};
use crate::session::Session;
use crate::shader::{Kernel, kernels};
use std::ops::Range;

/// Bytes that a workgroup adds.
const GROUP_BYTES: u64 = 256 * 16;

/// Order of the kernels in [`pipelines`].
pub(super) const ADD: usize = 0;
pub(super) const MEAN: usize = 1;

/// The kernels that add micro-batches, and make the mean over so many.
pub(super) fn pipelines(device: &Device, micro_batches: usize) -> Result<Pipelines> {
    let share = 1.0 / micro_batches as f32;
    let add = Kernel::new(&kernels::add_micro_batches).iterations(4);
    let mean = Kernel::new(&kernels::mean_of_micro_batches).with("SHARE", share).iterations(4);
    Pipelines::compile(device, &[&add, &mean])
}

/// The buckets of a session.
#[derive(Debug)]
pub(super) struct Reduction {
    pub buckets: Vec<Bucket>,
    pub turns: Vec<Turn>,
    pub scalars: Scalars,
    pub first_update: usize,
    /// The submissions of a micro-batch, and those of a rank's last one.
    pub pieces: [Vec<Piece>; 2],
    pipelines: Pipelines,
}

/// A part of a micro-batch that is submitted whole.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub dispatches: Range<usize>,
    /// The buckets that are complete behind it.
    pub complete: Vec<usize>,
}

/// What is done about one of a rank's micro-batches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Turn {
    /// Where the sum so far is kept meanwhile.
    pub save: Option<usize>,
    /// The kept sums that are added afterwards, in order.
    pub adds: Vec<usize>,
}

/// Parts of memory that are summed together.
#[derive(Debug)]
pub(super) struct Bucket {
    parts: Vec<Part>,
    bytes: u64,
    /// Dispatches of a step after which it is complete.
    pub complete_after: usize,
    /// Sums that wait for others, by number.
    kept: Vec<Buffer>,
    /// What state is before a step, if a rank has several micro-batches.
    before: Option<Buffer>,
    /// By the number of the kept sum: the dispatches that add it.
    adds: Vec<Vec<Prepared>>,
    means: Vec<Prepared>,
    pub staging: Option<Staging>,
}

/// A part of a buffer, and where it lies in the bucket.
#[derive(Debug)]
struct Part {
    buffer: Buffer,
    /// For gradients: number of the plan's buffer.
    number: Option<usize>,
    bytes: Range<u64>,
    at: u64,
    is_state: bool,
    is_mean: bool,
}

/// A dispatch of one of the kernels.
#[derive(Debug)]
pub(super) struct Prepared {
    kernel: usize,
    bind_group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

/// What is done about each of so many micro-batches of a rank.
pub(super) fn turns(micro_batches: usize) -> Vec<Turn> {
    let (mut turns, mut kept) = (Vec::<Turn>::new(), 0);
    for join in Joins::new(micro_batches) {
        match (join, turns.last_mut()) {
            (Join::Next, None) => turns.push(Turn { save: None, adds: Vec::new() }),
            (Join::Next, Some(_)) => {
                turns.push(Turn { save: Some(kept), adds: Vec::new() });
                kept += 1;
            }
            (Join::Add, last) => {
                kept -= 1;
                last.into_iter().for_each(|turn| turn.adds.push(kept));
            }
        }
    }
    turns
}

impl Reduction {
    /// `own` micro-batches of `all` on this rank; `exchanged` if there are others.
    pub(super) fn new(
        session: &Session,
        complete: &[Complete],
        scalars: Scalars,
        [own, all]: [usize; 2],
        exchanged: bool,
    ) -> Result<Reduction> {
        let (device, plan) = (&session.device, &session.plan);
        let pipelines = pipelines(device, all)?;
        let turns = turns(own);
        let depth = turns.iter().filter_map(|turn| turn.save).max().map_or(0, |most| most + 1);
        let first_update = plan.first_update()?;
        let pieces = [Vec::new(), Vec::new()];
        let mut reduction =
            Reduction { buckets: Vec::new(), turns, scalars, first_update, pieces, pipelines };
        for (number, bucket) in complete.iter().enumerate() {
            let mut parts: Vec<Part> = Vec::new();
            for (buffer, bytes) in &bucket.parts {
                push(&mut parts, (&session.buffers[*buffer], Some(*buffer)), bytes.clone(), false, true);
            }
            let mut complete_after = bucket.complete_after;
            if number + 1 == complete.len() {
                complete_after = first_update;
                for value in plan.updated_on_the_way() {
                    let (buffer, offset) = session.weights.place(plan.graph(), &[value])?;
                    let bytes = arena_bytes(&plan.graph().info(value).ty);
                    push(&mut parts, (buffer, None), offset..offset + bytes, true, true);
                }
                for (buffer, at, is_mean) in reduction.scalars.places() {
                    push(&mut parts, (buffer, None), at..at + ALIGNMENT, false, is_mean);
                }
            }
            let bytes = parts.last().map_or(0, |part| part.at + part.length());
            let (kept, before) = kept_buffers(device, bytes, depth, parts.iter().any(|part| part.is_state))?;
            let staging = if exchanged { Some(Staging::new(device, bytes)?) } else { None };
            let mut bucket = Bucket {
                parts,
                bytes,
                complete_after,
                kept,
                before,
                adds: Vec::new(),
                means: Vec::new(),
                staging,
            };
            reduction.prepare(device, plan.caps().max_workgroups, &mut bucket, all > 1)?;
            reduction.buckets.push(bucket);
        }
        let ends: Vec<usize> =
            plan.submits().iter().map(|submit| submit.dispatches.end.min(first_update)).collect();
        let complete: Vec<usize> = reduction.buckets.iter().map(|bucket| bucket.complete_after).collect();
        reduction.pieces =
            [pieces_of(&ends, &vec![first_update; complete.len()]), pieces_of(&ends, &complete)];
        Ok(reduction)
    }

    fn prepare(&self, device: &Device, most: u32, bucket: &mut Bucket, is_mean: bool) -> Result<()> {
        let prepared = |kernel: usize, part: &Part, kept: Option<&Buffer>| -> Result<Prepared> {
            let length = part.length();
            let mut entries = vec![bound(0, &part.buffer, part.bytes.start, length)];
            entries.extend(kept.map(|kept| bound(1, kept, part.at, length)));
            prepare(device, &self.pipelines, kernel, &entries, length, most)
        };
        for kept in &bucket.kept {
            let adds = bucket.parts.iter().map(|part| prepared(ADD, part, Some(kept)));
            bucket.adds.push(adds.collect::<Result<_>>()?);
        }
        if is_mean {
            let means = bucket.parts.iter().filter(|part| part.is_mean);
            bucket.means = means.map(|part| prepared(MEAN, part, None)).collect::<Result<_>>()?;
        }
        Ok(())
    }

    /// Encodes what comes before a micro-batch: the sum so far is kept, and state is as it was before the step.
    pub(super) fn encode_start(&self, session: &mut Session, turn: &Turn) {
        let encoder = session.uploads.encoder(&session.device);
        for bucket in &self.buckets {
            for part in &bucket.parts {
                if let Some(save) = turn.save {
                    part.copy_to(encoder, &bucket.kept[save].raw);
                }
                match &bucket.before {
                    Some(before) if part.is_state && turn.save.is_some() => {
                        part.copy_from(encoder, &before.raw)
                    }
                    Some(before) if part.is_state => part.copy_to(encoder, &before.raw),
                    _ => {}
                }
            }
        }
    }

    /// Encodes copies of what another session of the same plan has made, to where this one makes it.
    pub(super) fn encode_copy(&self, session: &mut Session, other: &Session) {
        self.scalars.encode_copy(session, other);
        let encoder = session.uploads.encoder(&session.device);
        for part in self.buckets.iter().flat_map(|bucket| &bucket.parts) {
            let Some(number) = part.number else { continue };
            let (from, to) = (&other.buffers[number].raw, &part.buffer.raw);
            let start = part.bytes.start;
            encoder.copy_buffer_to_buffer(from, start, to, start, part.length());
        }
    }

    /// Encodes what makes state as it was before the step.
    pub(super) fn encode_undo(&self, session: &mut Session) {
        let encoder = session.uploads.encoder(&session.device);
        for bucket in &self.buckets {
            for part in bucket.parts.iter().filter(|part| part.is_state) {
                if let Some(before) = &bucket.before {
                    part.copy_from(encoder, &before.raw);
                }
            }
        }
    }

    /// Encodes the additions after a micro-batch.
    pub(super) fn encode_adds(&self, session: &mut Session, bucket: usize, turn: &Turn) {
        for &kept in &turn.adds {
            encode(session, &self.pipelines, &self.buckets[bucket].adds[kept]);
        }
    }

    /// Encodes the copy of a bucket to the host.
    pub(super) fn encode_download(&self, session: &mut Session, bucket: usize) {
        let bucket = &self.buckets[bucket];
        let Some(staging) = &bucket.staging else { return };
        let encoder = session.uploads.encoder(&session.device);
        bucket.parts.iter().for_each(|part| part.copy_to(encoder, staging.read()));
    }

    /// Encodes copies of what came from the host, and the means.
    pub(super) fn encode_end(&self, session: &mut Session) {
        for bucket in &self.buckets {
            if let Some(staging) = &bucket.staging {
                let encoder = session.uploads.encoder(&session.device);
                bucket.parts.iter().for_each(|part| part.copy_from(encoder, staging.write()));
            }
            encode(session, &self.pipelines, &bucket.means);
        }
    }
}

impl Part {
    fn length(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }

    /// Encodes a copy to its place in what is as large as the bucket.
    fn copy_to(&self, encoder: &mut wgpu::CommandEncoder, to: &wgpu::Buffer) {
        encoder.copy_buffer_to_buffer(&self.buffer.raw, self.bytes.start, to, self.at, self.length());
    }

    /// Encodes a copy from its place in what is as large as the bucket.
    fn copy_from(&self, encoder: &mut wgpu::CommandEncoder, from: &wgpu::Buffer) {
        encoder.copy_buffer_to_buffer(from, self.at, &self.buffer.raw, self.bytes.start, self.length());
    }
}

impl Bucket {
    pub(super) fn elements(&self) -> usize {
        self.bytes as usize / 4
    }
}

/// Cuts a step where a submission ends and where buckets are complete.
fn pieces_of(ends: &[usize], complete: &[usize]) -> Vec<Piece> {
    let mut cuts = [ends, complete].concat();
    cuts.sort_unstable();
    cuts.dedup();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let buckets = |end: usize| (0..complete.len()).filter(|&bucket| complete[bucket] == end).collect();
    starts.zip(&cuts).map(|(start, &end)| Piece { dispatches: start..end, complete: buckets(end) }).collect()
}

/// Adds a part, or makes the last one longer.
fn push(
    parts: &mut Vec<Part>,
    (buffer, number): (&Buffer, Option<usize>),
    bytes: Range<u64>,
    is_state: bool,
    is_mean: bool,
) {
    if let Some(last) = parts.last_mut()
        && last.buffer.raw == buffer.raw
        && last.bytes.end == bytes.start
        && (last.is_state, last.is_mean) == (is_state, is_mean)
    {
        last.bytes.end = bytes.end;
        return;
    }
    let at = parts.last().map_or(0, |part| part.at + part.length());
    parts.push(Part { buffer: buffer.clone(), number, bytes, at, is_state, is_mean });
}

/// Memory for sums that wait, and for state if there is any.
fn kept_buffers(
    device: &Device,
    bytes: u64,
    depth: usize,
    has_state: bool,
) -> Result<(Vec<Buffer>, Option<Buffer>)> {
    let kept = (0..depth).map(|_| device.buffer("sums over micro-batches", bytes)).collect::<Result<_>>()?;
    let keeps_state = depth > 0 && has_state;
    let before = keeps_state.then(|| device.buffer("state before a step", bytes)).transpose()?;
    Ok((kept, before))
}

/// A dispatch over `bytes` of what is bound.
pub(super) fn prepare(
    device: &Device,
    pipelines: &Pipelines,
    kernel: usize,
    entries: &[wgpu::BindGroupEntry<'_>],
    bytes: u64,
    most: u32,
) -> Result<Prepared> {
    let (label, layout) = (Some("micro-batches"), pipelines.layout(kernel));
    let descriptor = wgpu::BindGroupDescriptor { label, layout, entries };
    let bind_group = device.guarded(|raw| raw.create_bind_group(&descriptor))?;
    Ok(Prepared { kernel, bind_group, workgroups: fold(bytes.div_ceil(GROUP_BYTES), most) })
}

/// Encodes dispatches, in one pass.
pub(super) fn encode(session: &mut Session, pipelines: &Pipelines, prepared: &[Prepared]) {
    if prepared.is_empty() {
        return;
    }
    session.counters.dispatches += prepared.len() as u64;
    let encoder = session.uploads.encoder(&session.device);
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    for dispatch in prepared {
        let [x, y, z] = dispatch.workgroups;
        pass.set_pipeline(pipelines.pipeline(dispatch.kernel));
        pass.set_bind_group(0, &dispatch.bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// A binding of a part of a buffer.
pub(super) fn bound(binding: u32, buffer: &Buffer, offset: u64, bytes: u64) -> wgpu::BindGroupEntry<'_> {
    let (buffer, size) = (&buffer.raw, wgpu::BufferSize::new(bytes));
    let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size });
    wgpu::BindGroupEntry { binding, resource }
}
