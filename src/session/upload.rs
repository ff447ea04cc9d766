//! Uploads that travel in the step's own command buffer, from staging memory that is used again.

use super::IN_FLIGHT;
use crate::device::{Buffer, Device};
use crate::error::Result;
use crate::graph::Source;
use crate::plan::Plan;
use std::fmt;
use wgpu::util::StagingBelt;

/// Staging buffers made with the session.
const CHUNKS: usize = IN_FLIGHT + 1;

/// The open command encoder and the staging memory behind it.
pub(super) struct Uploads {
    belt: StagingBelt,
    /// The belt's buffers, as far as they were seen; the first were made with the session.
    chunks: Vec<wgpu::Buffer>,
    encoder: Option<wgpu::CommandEncoder>,
}

impl Uploads {
    pub fn new(device: &Device, plan: &Plan) -> Result<Uploads> {
        // One step's inputs fit one chunk, each aligned.
        let inputs = plan
            .graph()
            .values()
            .filter(|(_, info)| matches!(info.source, Source::Input | Source::StepCounter));
        let bytes: u64 = inputs.map(|(_, info)| info.kind.bytes().next_multiple_of(16)).sum();
        let chunk = bytes.max(256);
        let mut belt = StagingBelt::new(device.wgpu().clone(), chunk);
        // Made now, one for each step in flight and one to write to, so that no later step allocates.
        let mut chunks = Vec::with_capacity(CHUNKS);
        if let Some(size) = wgpu::BufferSize::new(chunk) {
            for _ in 0..CHUNKS {
                chunks.push(belt.allocate(size, wgpu::BufferSize::MIN).buffer().clone());
            }
        }
        belt.finish();
        belt.recall();
        device.wait()?;
        Ok(Uploads { belt, chunks, encoder: None })
    }

    /// Staging buffers that the belt has made since it was new.
    pub fn allocations(&self) -> u64 {
        (self.chunks.len() - CHUNKS) as u64
    }

    pub fn encoder(&mut self, device: &Device) -> &mut wgpu::CommandEncoder {
        open(&mut self.encoder, device)
    }

    pub fn write(&mut self, device: &Device, target: &Buffer, offset: u64, bytes: &[u8]) -> Result<()> {
        let Some(size) = wgpu::BufferSize::new(bytes.len() as u64) else { return Ok(()) };
        let encoder = open(&mut self.encoder, device);
        let staging = self.belt.allocate(size, wgpu::BufferSize::MIN);
        if !self.chunks.contains(staging.buffer()) {
            self.chunks.push(staging.buffer().clone());
        }
        encoder.copy_buffer_to_buffer(staging.buffer(), staging.offset(), &target.raw, offset, size.get());
        let mapped = staging.get_mapped_range_mut().map_err(|e| device.error(e.to_string()));
        mapped.map(|mut view| view.copy_from_slice(bytes))
    }

    pub fn submit(&mut self, device: &Device) -> wgpu::SubmissionIndex {
        self.belt.finish();
        let commands = self.encoder.take().map(wgpu::CommandEncoder::finish);
        let index = device.queue().submit(commands);
        self.belt.recall();
        index
    }
}

/// The encoder of the coming submission, made when it is first needed.
fn open<'e>(encoder: &'e mut Option<wgpu::CommandEncoder>, device: &Device) -> &'e mut wgpu::CommandEncoder {
    encoder.get_or_insert_with(|| {
        device.wgpu().create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("step") })
    })
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploads").finish_non_exhaustive()
    }
}
