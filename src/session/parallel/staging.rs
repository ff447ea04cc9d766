//! Host memory of a bucket, there and back, which is used again in every step.

use crate::device::Device;
use crate::error::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// States of a mapping that was asked for.
const PENDING: u8 = 0;
const MAPPED: u8 = 1;
const FAILED: u8 = 2;

/// Memory that a bucket is copied to, and memory that it is copied from.
#[derive(Debug)]
pub(super) struct Staging {
    read: wgpu::Buffer,
    write: wgpu::Buffer,
    read_state: Arc<AtomicU8>,
    write_state: Arc<AtomicU8>,
    /// The submission that copies the bucket here.
    submission: Option<wgpu::SubmissionIndex>,
}

impl Staging {
    pub(super) fn new(device: &Device, bytes: u64) -> Result<Staging> {
        let label = "staging of gradients";
        let read = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let write = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        Ok(Staging {
            read: device.raw_buffer(label, bytes.max(4), read, false)?,
            write: device.raw_buffer(label, bytes.max(4), write, true)?,
            read_state: Arc::new(AtomicU8::new(PENDING)),
            write_state: Arc::new(AtomicU8::new(MAPPED)),
            submission: None,
        })
    }

    /// What a bucket is copied to.
    pub(super) fn read(&self) -> &wgpu::Buffer {
        &self.read
    }

    /// What a bucket is copied from.
    pub(super) fn write(&self) -> &wgpu::Buffer {
        &self.write
    }

    /// Begins to map what the submission `index` copies here.
    pub(super) fn map_read(&mut self, index: wgpu::SubmissionIndex) {
        map(&self.read, wgpu::MapMode::Read, &self.read_state);
        self.submission = Some(index);
    }

    /// Waits until the bucket is here, and copies it to `data`.
    pub(super) fn take(&mut self, device: &Device, data: &mut [f32]) -> Result<()> {
        device.wait_for(self.submission.take(), None)?;
        mapped(device, &self.read_state)?;
        {
            let view = self.read.get_mapped_range(..).map_err(|e| device.error(e.to_string()))?;
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(data);
            bytes.copy_from_slice(&view[..bytes.len()]);
        }
        self.read.unmap();
        Ok(())
    }

    /// Puts `data` where the bucket will be copied from.
    pub(super) fn give(&mut self, device: &Device, data: &[f32]) -> Result<()> {
        mapped(device, &self.write_state)?;
        {
            let bytes: &[u8] = bytemuck::cast_slice(data);
            let view = self.write.get_mapped_range_mut(..bytes.len() as u64);
            view.map_err(|e| device.error(e.to_string()))?.copy_from_slice(bytes);
        }
        self.write.unmap();
        Ok(())
    }

    /// Begins to map what was copied from, for the next step.
    pub(super) fn map_write(&mut self) {
        map(&self.write, wgpu::MapMode::Write, &self.write_state);
    }
}

fn map(buffer: &wgpu::Buffer, mode: wgpu::MapMode, state: &Arc<AtomicU8>) {
    state.store(PENDING, Ordering::Release);
    let state = Arc::clone(state);
    buffer.map_async(mode, .., move |result| {
        state.store(if result.is_ok() { MAPPED } else { FAILED }, Ordering::Release);
    });
}

/// Waits until the memory is mapped.
fn mapped(device: &Device, state: &AtomicU8) -> Result<()> {
    let known = || Some(state.load(Ordering::Acquire)).filter(|&state| state != PENDING);
    if device.wait_until(known)? == Some(MAPPED) {
        return Ok(());
    }
    device.check()?;
    Err(device.error("staging memory of gradients can't be mapped".into()))
}
