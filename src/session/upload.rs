//! Uploads that travel in the step's own command buffer, from staging memory that is used again.
//!
//! Every input has its place in each staging buffer, which it is written to as often as the user likes: only
//! the last contents before a step are copied, and no write allocates.

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
    /// What is written to, mapped.
    open: Option<wgpu::Buffer>,
    /// What the encoder copies from.
    copied: Option<wgpu::Buffer>,
    /// What the GPU is done with, mapped again.
    free: Arc<Mutex<Vec<wgpu::Buffer>>>,
    encoder: Option<wgpu::CommandEncoder>,
}

/// An input, or the step's number; or, without a value, the numbers that the numerics watch takes.
struct Slot {
    value: Option<Value>,
    /// Number of the plan's buffer, and start.
    buffer: usize,
    offset: u64,
    /// Start in staging memory, and length.
    at: u64,
    bytes: u64,
    /// Whether there are contents that no submission has copied yet.
    waits: bool,
    /// Whether it was ever written.
    written: bool,
    /// Whether it has to be written before a step runs.
    due: bool,
}

impl Uploads {
    pub fn new(device: &Device, plan: &Plan) -> Result<Uploads> {
        let (mut slots, mut of_value, mut size) = (Vec::new(), BTreeMap::new(), 0u64);
        for (value, info) in plan.graph().values() {
            // An input that no kernel reads has no buffer.
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

    pub fn encoder(&mut self, device: &Device) -> &mut wgpu::CommandEncoder {
        self.encoder.get_or_insert_with(|| {
            device.wgpu().create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("step") })
        })
    }

    /// Keeps `bytes` for the next submission, and says how many will be uploaded for it.
    pub fn write(&mut self, device: &Device, value: Value, bytes: &[u8]) -> Result<u64> {
        self.write_slot(device, self.of_value.get(&value).copied(), bytes)
    }

    /// [`Uploads::write`] of the step's number and the number of its run, for the numerics watch.
    pub fn write_watch(&mut self, device: &Device, numbers: [u32; 2]) -> Result<u64> {
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

    /// Staging memory that the GPU is done with. With the steps in flight that a session allows, there is some.
    fn take(&self, device: &Device) -> Result<wgpu::Buffer> {
        let take = || self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(chunk) = take() {
            return Ok(chunk);
        }
        device.wait()?;
        take().ok_or_else(|| device.error("staging memory did not come back from the GPU".into()))
    }

    /// Encodes copies of what was written since the last submission to the plan's buffers.
    pub fn encode(&mut self, device: &Device, buffers: &[Buffer]) {
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

    pub fn submit(&mut self, device: &Device) -> wgpu::SubmissionIndex {
        let commands = self.encoder.take().map(wgpu::CommandEncoder::finish);
        let index = device.queue().submit(commands);
        if let Some(chunk) = self.copied.take() {
            let (free, mapped) = (Arc::clone(&self.free), chunk.clone());
            chunk.map_async(wgpu::MapMode::Write, .., move |result| {
                // Where mapping failed, the device is lost.
                if result.is_ok() {
                    free.lock().unwrap_or_else(PoisonError::into_inner).push(mapped);
                }
            });
        }
        index
    }

    /// From now on, what was written to `other`, of the same plan, has to be written here before a step.
    pub fn expect_inputs_of(&mut self, other: &Uploads) {
        for (slot, other) in self.slots.iter_mut().zip(&other.slots).filter(|(slot, _)| slot.value.is_some())
        {
            slot.due = (other.written || other.due) && !slot.written;
        }
    }

    /// Fails for an input that has to be written first.
    pub fn check_due(&self, plan: &Plan) -> Result<()> {
        let graph = plan.graph();
        // The session writes numbers itself.
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
