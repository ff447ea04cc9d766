//! Buffers, uploads and readback.

use super::Device;
use super::poller::{Callback, Failure, Signal};
use crate::error::{Error, Result};
use crate::memory;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of one upload. Larger ones are split.
const PIECE: usize = 16 << 20;
/// Staging memory that an upload takes in addition to its bytes; an estimate.
const STAGING_OVERHEAD: u64 = 4 << 10;
/// The most bytes of uploads that may be pending on the GPU.
const MOST_STAGED: u64 = 64 << 20;

/// Memory on the device.
#[derive(Clone, Debug)]
pub struct Buffer {
    pub(crate) raw: wgpu::Buffer,
}

impl Buffer {
    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.raw.size()
    }
}

impl Device {
    /// A zero-filled buffer that kernels can bind and that can be copied from and to.
    ///
    /// # Errors
    /// Not enough device memory.
    pub(crate) fn buffer(&self, label: &str, bytes: u64) -> Result<Buffer> {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        self.raw_buffer(label, bytes.max(4).checked_next_multiple_of(4).unwrap_or(u64::MAX - 3), usage, false)
            .map(|raw| Buffer { raw })
    }

    /// A buffer of any usage. The error of a failed allocation names `label`.
    pub(crate) fn raw_buffer(
        &self,
        label: &str,
        size: u64,
        usage: wgpu::BufferUsages,
        mapped_at_creation: bool,
    ) -> Result<wgpu::Buffer> {
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation };
        self.guarded(|device| device.create_buffer(&descriptor)).map_err(|e| match e {
            Error::Device { message, .. } => {
                self.error(format!("a buffer of {size} bytes for {label} can't be had: {message}"))
            }
            other => other,
        })
    }

    /// Uploads `bytes`, a multiple of four, before the next submission.
    pub(crate) fn write(&self, buffer: &Buffer, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut pieces = (offset..).step_by(PIECE).zip(bytes.chunks(PIECE));
        pieces.try_for_each(|(at, piece)| {
            let mut upload = self.upload();
            upload.write(buffer, at, piece)?;
            upload.submit().map(drop)
        })
    }

    /// Starts an upload that takes effect as a whole.
    pub(crate) fn upload(&self) -> Upload<'_> {
        Upload { device: self, staged: Vec::new() }
    }

    /// Reads back parts of buffers (buffer, start, length in bytes), in one submission.
    pub(crate) async fn read_async(&self, parts: &[(&Buffer, u64, u64)]) -> Result<Vec<Vec<u8>>> {
        let mut result = Vec::with_capacity(parts.len());
        let keep = |part: &[u8]| {
            let mut copy = Vec::new();
            memory::reserve(&mut copy, part.len(), "reading back")?;
            copy.extend_from_slice(part);
            result.push(copy);
            Ok(())
        };
        self.read_by(&mut None, parts, keep).await?;
        Ok(result)
    }

    /// Reads back parts of buffers, and calls `each` with each part's bytes. The memory for it is kept for the next call.
    /// Returns whether it had to be allocated.
    pub(crate) async fn read_by(
        &self,
        kept: &mut Option<wgpu::Buffer>,
        parts: &[(&Buffer, u64, u64)],
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        let total = parts.iter().map(|p| p.2).fold(0, u64::saturating_add).max(4);
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        // Taken, so that a call that is given up half-way leaves no memory that is still mapped.
        let (staging, allocated) = match kept.take().filter(|kept| kept.size() >= total) {
            Some(kept) => (kept, false),
            None => (self.raw_buffer("reading back", total, usage, false)?, true),
        };
        self.wait_to_submit().await?;
        let submission = self.guarded(|device| {
            let mut encoder = device
                .create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("reading back") });
            let mut at = 0;
            for (buffer, offset, bytes) in parts {
                encoder.copy_buffer_to_buffer(&buffer.raw, *offset, &staging, at, *bytes);
                at += bytes;
            }
            self.queue().submit([encoder.finish()])
        })?;
        let signal = Signal::new();
        let callback = Callback(Arc::clone(&signal));
        self.guarded(|_| {
            staging.map_async(wgpu::MapMode::Read, ..total, move |mapped| {
                callback.0.keep(mapped.map_err(|e| Failure::Driver(format!("reading back failed: {e}"))));
            });
        })?;
        self.wait_callback(signal, Some(submission)).await?;
        let view =
            staging.get_mapped_range(..total).map_err(|e| self.error(format!("reading back failed: {e}")))?;
        let mut rest: &[u8] = &view;
        for (_, _, bytes) in parts {
            let (part, tail) = rest.split_at(*bytes as usize);
            each(part)?;
            rest = tail;
        }
        drop(view);
        staging.unmap();
        *kept = Some(staging);
        self.check()?;
        Ok(allocated)
    }
}

/// An upload to several places in one submission. Submissions of other threads see all of it or nothing.
/// Nothing changes before [`Upload::submit`].
pub(crate) struct Upload<'d> {
    device: &'d Device,
    /// Mapped memory, target buffer, offset there, and length in bytes.
    staged: Vec<(wgpu::Buffer, wgpu::Buffer, u64, u64)>,
}

impl Upload<'_> {
    /// Adds bytes for a part of a buffer. Offset and length are multiples of four.
    pub(crate) fn write(&mut self, buffer: &Buffer, offset: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        // Staging memory of our own, mapped at creation: where the GPU library lacks memory for an upload of
        // its own, it gives the device up.
        let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        let size = bytes.len() as u64;
        let staging = self.device.raw_buffer("an upload", size, usage, true)?;
        let mapped = staging.get_mapped_range_mut(..).map_err(|e| self.device.error(e.to_string()));
        mapped.map(|mut view| view.copy_from_slice(bytes))?;
        self.staged.push((staging, buffer.raw.clone(), offset, size));
        Ok(())
    }

    /// Submits the upload and returns the number of bytes. If the staging memory of pending uploads exceeds a
    /// bound, it waits for the GPU, except on a device of an app.
    pub(crate) fn submit(self) -> Result<u64> {
        self.device.guarded(|device| {
            let mut encoder =
                device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("upload") });
            for (staging, buffer, offset, size) in &self.staged {
                staging.unmap();
                encoder.copy_buffer_to_buffer(staging, 0, buffer, *offset, *size);
            }
            self.device.queue().submit([encoder.finish()])
        })?;
        let bytes = self.staged.iter().map(|part| part.3).sum();
        let staged = bytes + STAGING_OVERHEAD * self.staged.len() as u64;
        let waiting = &self.device.inner.staged;
        if self.device.polls() && waiting.fetch_add(staged, Ordering::Relaxed) + staged > MOST_STAGED {
            waiting.store(0, Ordering::Relaxed);
            self.device.wait()?;
        }
        Ok(bytes)
    }
}
