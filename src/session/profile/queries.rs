//! Timestamps of dispatches: query sets, resolved into one buffer and read back.

use super::Span;
use crate::device::{Buffer, Device};
use crate::error::Result;

/// Queries for the start and the end of each dispatch of a step.
#[derive(Debug)]
pub(in crate::session) struct Queries {
    sets: Vec<wgpu::QuerySet>,
    ticks: Buffer,
    dispatches: usize,
    /// Nanoseconds of a tick.
    period: f64,
}

/// Dispatches whose queries fit one set.
const DISPATCHES_A_SET: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

impl Queries {
    pub(super) fn new(device: &Device, dispatches: usize) -> Result<Queries> {
        let mut sets = Vec::new();
        for first in (0..dispatches).step_by(DISPATCHES_A_SET) {
            let count = 2 * (dispatches - first).min(DISPATCHES_A_SET) as u32;
            sets.push(device.guarded(|raw| {
                raw.create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("profile"),
                    ty: wgpu::QueryType::Timestamp,
                    count,
                })
            })?);
        }
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let raw = device.raw_buffer("profile", 16 * dispatches.max(1) as u64, usage, false)?;
        let period = f64::from(device.queue().get_timestamp_period());
        Ok(Queries { sets, ticks: Buffer { raw }, dispatches, period })
    }

    /// The timestamps for the pass of one dispatch to write.
    pub(super) fn writes(&self, dispatch: usize) -> wgpu::ComputePassTimestampWrites<'_> {
        let first = 2 * (dispatch % DISPATCHES_A_SET) as u32;
        wgpu::ComputePassTimestampWrites {
            query_set: &self.sets[dispatch / DISPATCHES_A_SET],
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        }
    }

    pub(super) fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        for (i, set) in self.sets.iter().enumerate() {
            let first = i * DISPATCHES_A_SET;
            let count = 2 * (self.dispatches - first).min(DISPATCHES_A_SET) as u32;
            encoder.resolve_query_set(set, 0..count, &self.ticks.raw, 16 * first as u64);
        }
    }

    /// Start and end of each dispatch. A dispatch that starts before its predecessor ends counts from that
    /// end, so that times add up to the step's.
    pub(super) async fn read(&self, device: &Device) -> Result<Vec<Span>> {
        if self.dispatches == 0 {
            return Ok(Vec::new());
        }
        let bytes = device.read_async(&[(&self.ticks, 0, 16 * self.dispatches as u64)]).await?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes[0]);
        let mut spans = Vec::with_capacity(self.dispatches);
        let mut last = 0;
        for pair in ticks.chunks_exact(2) {
            let [start, end] = [pair[0], pair[1]].map(|tick| (tick as f64 * self.period) as u64);
            let start = start.max(last);
            last = end.max(start);
            spans.push(start..last);
        }
        Ok(spans)
    }
}
