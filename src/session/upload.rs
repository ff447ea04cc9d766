//! Uploads of inputs in the step's own command buffer, from staging memory that is reused.
//!
//! Each input has a place in each staging buffer. The user may write it any number of times: only the last
//! contents before a step are copied, and no write allocates.

use super::IN_FLIGHT;
use crate::device::{Buffer, Device};
use crate::error::{Error, Result};
use crate::graph::{Source, Value};
use crate::plan::{Place, Plan};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Staging buffers: one for each step in flight and one to write to.
const CHUNKS: usize = IN_FLIGHT + 1;

/// The open command encoder and the staging memory behind it.
pub(super) struct Uploads {
    slots: Vec<Slot>,
    of_value: BTreeMap<Value, usize>,
    of_watch: Option<usize>,
    /// The mapped buffer that inputs are written to.
    open: Option<wgpu::Buffer>,
    /// The buffer that the encoder copies from.
    copied: Option<wgpu::Buffer>,
    /// Buffers that the GPU has finished with, mapped again.
    free: Arc<Mutex<Vec<wgpu::Buffer>>>,
    encoder: Option<wgpu::CommandEncoder>,
}

/// Staging for an input or the step's number; without a value, for the numerics watch's numbers.
struct Slot {
    value: Option<Value>,
    /// Index of the plan's buffer, and offset there.
    buffer: usize,
    offset: u64,
    /// Offset in staging memory, and length.
    at: u64,
    bytes: u64,
    /// Whether it was written since the last submission.
    waits: bool,
    /// Whether it was ever written.
    written: bool,
    /// Whether it has to be written before a step runs.
    due: bool,
}

impl Uploads {
    pub(super) fn new(device: &Device, plan: &Plan) -> Result<Uploads> {
        let (mut slots, mut of_value, mut size) = (Vec::new(), BTreeMap::new(), 0u64);
        for (value, info) in plan.graph().values() {
            // An input without a reader has no buffer.
            if let Source::Input | Source::StepCounter = info.source
                && let Some(Place::Owned { buffer, offset, .. }) = plan.place(value)
            {
                let (at, bytes) = (size, info.ty.bytes());
                size += bytes.next_multiple_of(16);
                of_value.insert(value, slots.len());
                let (waits, written, due) = (false, false, false);
                slots.push(Slot { value: Some(value), buffer, offset, at, bytes, waits, written, due });
            }
        }
        let of_watch = plan.watching.as_ref().map(|watching| {
            let (buffer, offset, at, bytes) = (watching.report, 0, size, 8);
            size += 16;
            let (waits, written, due) = (false, false, false);
            slots.push(Slot { value: None, buffer, offset, at, bytes, waits, written, due });
            slots.len() - 1
        });
        let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        let chunks: Result<Vec<_>> = (0..CHUNKS)
            .map(|_| device.raw_buffer("staging of the inputs", size.max(256), usage, true))
            .collect();
        let free = Arc::new(Mutex::new(chunks?));
        Ok(Uploads { slots, of_value, of_watch, open: None, copied: None, free, encoder: None })
    }

    pub(super) fn encoder(&mut self, device: &Device) -> &mut wgpu::CommandEncoder {
        self.encoder.get_or_insert_with(|| {
            device.wgpu().create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("step") })
        })
    }

    /// Stages `bytes` for the next submission. Returns how many will be uploaded.
    pub(super) fn write(&mut self, device: &Device, value: Value, bytes: &[u8]) -> Result<u64> {
        self.write_slot(device, self.of_value.get(&value).copied(), bytes)
    }

    /// [`Uploads::write`] of the step's number and the number of its run, for the numerics watch.
    pub(super) fn write_watch(&mut self, device: &Device, numbers: [u32; 2]) -> Result<u64> {
        self.write_slot(device, self.of_watch, bytemuck::cast_slice(&numbers))
    }

    fn write_slot(&mut self, device: &Device, slot: Option<usize>, bytes: &[u8]) -> Result<u64> {
        let Some(slot) = slot else { return Ok(0) };
        if self.open.is_none() {
            self.open = Some(self.take(device)?);
        }
        let slot = &mut self.slots[slot];
        if let Some(open) = &self.open {
            let mapped = open.get_mapped_range_mut(slot.at..slot.at + slot.bytes);
            mapped.map_err(|e| device.error(e.to_string()))?.copy_from_slice(bytes);
        }
        (slot.waits, slot.written, slot.due) = (true, true, false);
        Ok(slot.bytes)
    }

    /// Takes a free staging buffer. There is one as long as no more steps are in flight than a session
    /// allows.
    fn take(&self, device: &Device) -> Result<wgpu::Buffer> {
        let take = || self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(chunk) = take() {
            return Ok(chunk);
        }
        device.wait()?;
        take().ok_or_else(|| device.error("staging memory did not come back from the GPU".into()))
    }

    /// Encodes copies to the plan's buffers of everything written since the last submission.
    pub(super) fn encode(&mut self, device: &Device, buffers: &[Buffer]) {
        let Some(chunk) = self.open.take() else { return };
        chunk.unmap();
        for i in 0..self.slots.len() {
            let Slot { buffer, offset, at, bytes, waits, .. } = self.slots[i];
            if waits {
                let encoder = self.encoder(device);
                encoder.copy_buffer_to_buffer(&chunk, at, &buffers[buffer].raw, offset, bytes);
                self.slots[i].waits = false;
            }
        }
        self.copied = Some(chunk);
    }

    pub(super) fn submit(&mut self, device: &Device) -> wgpu::SubmissionIndex {
        let commands = self.encoder.take().map(wgpu::CommandEncoder::finish);
        let index = device.queue().submit(commands);
        if let Some(chunk) = self.copied.take() {
            let (free, mapped) = (Arc::clone(&self.free), chunk.clone());
            chunk.map_async(wgpu::MapMode::Write, .., move |result| {
                // Mapping fails only if the device is lost.
                if result.is_ok() {
                    free.lock().unwrap_or_else(PoisonError::into_inner).push(mapped);
                }
            });
        }
        index
    }

    /// Requires every input that was written to `other`, of the same plan, to be written here before a step.
    pub(super) fn expect_inputs_of(&mut self, other: &Uploads) {
        for (slot, other) in self.slots.iter_mut().zip(&other.slots).filter(|(slot, _)| slot.value.is_some())
        {
            slot.due = (other.written || other.due) && !slot.written;
        }
    }

    /// Fails if an input has to be written first.
    pub(super) fn check_due(&self, plan: &Plan) -> Result<()> {
        let graph = plan.graph();
        // The session writes the step's number itself.
        let due = |slot: &&Slot| slot.due && slot.value != graph.counted_steps();
        match self.slots.iter().find(due).and_then(|slot| slot.value) {
            None => Ok(()),
            Some(value) => Err(Error::Value {
                name: graph.info(value).name.clone(),
                message: "was written in the session that this one was rebuilt from, and not yet in this one; write it before a step".into(),
            }),
        }
    }
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploads").finish_non_exhaustive()
    }
}
