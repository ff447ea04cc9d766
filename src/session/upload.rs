//! Uploads of inputs in the step's own command buffer, from staging memory that is reused.
//!
//! A staging buffer holds the contents of one step, and each input has a place in it. The user may write an input any
//! number of times: only the last contents before a step are copied, and no write allocates. What is written ahead lies
//! in the buffers of later steps, which are allocated when they are first needed.

use super::IN_FLIGHT;
use crate::device::{Buffer, Device};
use crate::error::{Error, Result};
use crate::graph::{Source, Value};
use crate::plan::{Place, Plan};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Staging buffers: one for each step in flight and one to write to.
const CHUNKS: usize = IN_FLIGHT + 1;

/// The open command encoder and the staging memory behind it.
pub(super) struct Uploads {
    slots: Vec<Slot>,
    of_value: BTreeMap<Value, usize>,
    of_watch: Option<usize>,
    size: u64,
    /// The mapped buffers that inputs are written to, for the next steps.
    open: VecDeque<wgpu::Buffer>,
    /// The buffers that the encoder copies from.
    copied: Vec<wgpu::Buffer>,
    /// Buffers that the GPU has finished with, mapped again.
    free: Arc<Mutex<Vec<wgpu::Buffer>>>,
    encoder: Option<wgpu::CommandEncoder>,
    /// Staging buffers allocated since the session was made.
    pub allocations: u64,
    /// The most steps that were written at a time.
    most: usize,
}

/// Bytes of staging memory for the steps of a submission if nothing is written ahead for them: each has its number there.
const AFFORDABLE: u64 = 64 << 20;

/// The steps that contents are for.
#[derive(Clone, Copy)]
pub(super) enum At {
    /// The coming steps, until they are written again.
    Now,
    /// The first step that nothing is written ahead for.
    Ahead,
    /// The step after so many others.
    Step(usize),
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
    /// Steps, from the next one on, that contents were written for.
    waits: usize,
    /// Those of them that were written ahead.
    ahead: usize,
    /// Whether it was ever written.
    written: bool,
}

impl Slot {
    fn new(value: Option<Value>, [buffer, offset, at, bytes]: [u64; 4]) -> Slot {
        let buffer = buffer as usize;
        Slot { value, buffer, offset, at, bytes, waits: 0, ahead: 0, written: false }
    }
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
                slots.push(Slot::new(Some(value), [buffer as u64, offset, at, bytes]));
            }
        }
        let of_watch = plan.watching.as_ref().map(|watching| {
            slots.push(Slot::new(None, [watching.report as u64, 0, size, 8]));
            size += 16;
            slots.len() - 1
        });
        let free: Result<Vec<_>> = (0..CHUNKS).map(|_| staging(device, size)).collect();
        let free = Arc::new(Mutex::new(free?));
        let (open, copied) = (VecDeque::with_capacity(CHUNKS), Vec::with_capacity(CHUNKS));
        Ok(Uploads {
            slots,
            of_value,
            of_watch,
            size,
            open,
            copied,
            free,
            encoder: None,
            allocations: 0,
            most: 1,
        })
    }

    pub(super) fn encoder(&mut self, device: &Device) -> &mut wgpu::CommandEncoder {
        self.encoder.get_or_insert_with(|| {
            device.wgpu().create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("step") })
        })
    }

    /// Stages `bytes` for a step. Returns how many will be uploaded.
    pub(super) fn write(&mut self, device: &Device, value: Value, bytes: &[u8], at: At) -> Result<u64> {
        self.write_slot(device, self.of_value.get(&value).copied(), bytes, at)
    }

    /// [`Uploads::write`] of the step's number and the number of its run, for the numerics watch.
    pub(super) fn write_watch(&mut self, device: &Device, numbers: [u32; 2], at: At) -> Result<u64> {
        self.write_slot(device, self.of_watch, bytemuck::cast_slice(&numbers), at)
    }

    fn write_slot(&mut self, device: &Device, slot: Option<usize>, bytes: &[u8], at: At) -> Result<u64> {
        let Some(slot) = slot else { return Ok(0) };
        let (step, ahead) = match at {
            At::Now => (0, 0),
            At::Ahead => (self.slots[slot].ahead, self.slots[slot].ahead + 1),
            At::Step(step) => (step, 0),
        };
        self.most = self.most.max(step + 1);
        while self.open.len() <= step {
            let chunk = self.take(device)?;
            self.open.push_back(chunk);
        }
        let slot = &mut self.slots[slot];
        // Whole words are mapped, and the last one of bytes may be partly empty.
        let mut padded = Vec::new();
        if (bytes.len() as u64) < slot.bytes {
            padded.extend_from_slice(bytes);
            padded.resize(slot.bytes as usize, 0);
        }
        let mapped = self.open[step].get_mapped_range_mut(slot.at..slot.at + slot.bytes);
        let bytes = if padded.is_empty() { bytes } else { &padded };
        mapped.map_err(|e| device.error(e.to_string()))?.copy_from_slice(bytes);
        (slot.waits, slot.ahead, slot.written) = (step + 1, ahead, true);
        Ok(slot.bytes)
    }

    /// Steps that an input was written ahead for.
    pub(super) fn ahead(&self, value: Value) -> usize {
        self.of_value.get(&value).map_or(0, |&slot| self.slots[slot].ahead)
    }

    /// How many steps may go in one submission: as many as were written ahead, or as staging memory is spent on.
    pub(super) fn together(&self, most: u32) -> u32 {
        let affordable = (AFFORDABLE / self.size.max(1)).clamp(1, u64::from(most)) as usize;
        affordable.max(self.open.len()).min(most as usize) as u32
    }

    /// Takes a free staging buffer. There is one as long as no more submissions are in flight than a session allows, and
    /// the largest so far was of as many steps as they. Further ones are allocated, so that writing does not wait for
    /// the device.
    fn take(&mut self, device: &Device) -> Result<wgpu::Buffer> {
        let take = || self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(chunk) = take() {
            return Ok(chunk);
        }
        let most = (IN_FLIGHT + 1) * self.most;
        // In a browser memory comes back between awaited calls alone, and an app's device is polled by the app: waiting
        // would be in vain.
        #[cfg(not(target_arch = "wasm32"))]
        if device.polls() && self.open.is_empty() && CHUNKS as u64 + self.allocations >= most as u64 {
            let back = device.wait_until(take)?;
            return back.ok_or_else(|| device.error("staging memory did not come back from the GPU".into()));
        }
        #[cfg(target_arch = "wasm32")]
        let _ = most;
        self.allocations += 1;
        staging(device, self.size)
    }

    /// Encodes copies to the plan's buffers of everything written for the next step.
    pub(super) fn encode(&mut self, device: &Device, buffers: &[Buffer]) {
        let Some(chunk) = self.open.pop_front() else { return };
        chunk.unmap();
        for i in 0..self.slots.len() {
            let Slot { buffer, offset, at, bytes, waits, .. } = self.slots[i];
            if waits > 0 {
                let encoder = self.encoder(device);
                encoder.copy_buffer_to_buffer(&chunk, at, &buffers[buffer].raw, offset, bytes);
            }
            let slot = &mut self.slots[i];
            (slot.waits, slot.ahead) = (slot.waits.saturating_sub(1), slot.ahead.saturating_sub(1));
        }
        self.copied.push(chunk);
    }

    pub(super) fn submit(&mut self, device: &Device) -> wgpu::SubmissionIndex {
        let commands = self.encoder.take().map(wgpu::CommandEncoder::finish);
        let index = device.queue().submit(commands);
        for chunk in self.copied.drain(..) {
            chunk.map_async(wgpu::MapMode::Write, .., comes_back(&self.free, &chunk));
        }
        index
    }

    /// Has an app's encoder take what is encoded, until [`Uploads::give_back`].
    pub(super) fn lend(&mut self, device: &Device, encoder: &mut wgpu::CommandEncoder) {
        let other = device.wgpu().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.encoder = Some(std::mem::replace(encoder, other));
    }

    /// Gives the app its encoder back. Staging memory comes back when the app has submitted it.
    pub(super) fn give_back(&mut self, encoder: &mut wgpu::CommandEncoder) {
        if let Some(lent) = self.encoder.take() {
            *encoder = lent;
        }
        for chunk in self.copied.drain(..) {
            encoder.map_buffer_on_submit(&chunk, wgpu::MapMode::Write, .., comes_back(&self.free, &chunk));
        }
    }

    /// Counts an input as written, by others than the host.
    pub(super) fn skip(&mut self, value: Value) {
        if let Some(&slot) = self.of_value.get(&value) {
            let slot = &mut self.slots[slot];
            (slot.waits, slot.ahead, slot.written) = (0, 0, true);
        }
    }

    /// Fails if an input was written ahead for some of these steps and not for all, or for fewer steps than another: what is
    /// left over would meet contents of a later call.
    pub(super) fn check_ahead(&self, plan: &Plan, steps: usize) -> Result<()> {
        let name = |value: Value| plan.graph().info(value).name.clone();
        let ahead = |slot: &Slot| Some((slot.ahead, slot.value?)).filter(|&(ahead, _)| ahead > 0);
        let ahead = self.slots.iter().filter_map(ahead);
        let (Some(fewest), Some(most)) = (ahead.clone().min_by_key(|x| x.0), ahead.max_by_key(|x| x.0))
        else {
            return Ok(());
        };
        let message = if fewest.0 < steps {
            format!(
                "was written ahead for {} steps, expected {steps}; write it ahead for the others too, or run fewer",
                fewest.0
            )
        } else if steps > 0 && fewest.0 < most.0 {
            format!(
                "was written ahead for {} steps, and input \"{}\" for {}; write each input ahead for the same steps",
                fewest.0,
                name(most.1),
                most.0
            )
        } else {
            return Ok(());
        };
        Err(Error::Value { name: name(fewest.1), message })
    }

    /// Fails if an input was never written: its contents would be nothing that anyone chose.
    pub(super) fn check_written(&self, plan: &Plan) -> Result<()> {
        let graph = plan.graph();
        // The session writes the step's number itself.
        let missing = |slot: &&Slot| !slot.written && slot.value != graph.counted_steps();
        match self.slots.iter().find(missing).and_then(|slot| slot.value) {
            None => Ok(()),
            Some(value) => Err(Error::Value {
                name: graph.info(value).name.clone(),
                message: "was never written in this session; write it before a step".into(),
            }),
        }
    }
}

/// Puts a staging buffer among the free ones once it is mapped.
fn comes_back(
    free: &Arc<Mutex<Vec<wgpu::Buffer>>>,
    chunk: &wgpu::Buffer,
) -> impl FnOnce(Result<(), wgpu::BufferAsyncError>) + use<> {
    let (free, mapped) = (Arc::clone(free), chunk.clone());
    move |result| {
        // Mapping fails only if the device is lost.
        if result.is_ok() {
            free.lock().unwrap_or_else(PoisonError::into_inner).push(mapped);
        }
    }
}

/// A mapped staging buffer.
fn staging(device: &Device, size: u64) -> Result<wgpu::Buffer> {
    let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
    device.raw_buffer("staging of the inputs", size.max(256), usage, true)
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploads").finish_non_exhaustive()
    }
}
