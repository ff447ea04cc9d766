//! Buffers, uploads and readback.

use super::Device;
use crate::error::Result;

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
        self.guarded(|device| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes.max(4).checked_next_multiple_of(4).unwrap_or(u64::MAX - 3),
                usage,
                mapped_at_creation: false,
            })
        })
        .map(|raw| Buffer { raw })
    }

    /// Queues an upload. `bytes` is a multiple of four.
    pub(crate) fn write(&self, buffer: &Buffer, offset: u64, bytes: &[u8]) {
        self.queue().write_buffer(&buffer.raw, offset, bytes);
    }

    /// Submits the uploads that are queued, rather than with the next step, so that their staging memory
    /// does not live on into it.
    pub(crate) fn flush(&self) {
        self.queue().submit(None);
    }

    /// Reads back parts of buffers (buffer, start, length in bytes), in one submission.
    pub(crate) async fn read_async(&self, parts: &[(&Buffer, u64, u64)]) -> Result<Vec<Vec<u8>>> {
        let total: u64 = parts.iter().map(|p| p.2).sum();
        let staging = self.guarded(|device| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("readback"),
                size: total.max(4),
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        let mut encoder =
            self.wgpu().create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("readback") });
        let mut at = 0;
        for (buffer, offset, bytes) in parts {
            encoder.copy_buffer_to_buffer(&buffer.raw, *offset, &staging, at, *bytes);
            at += bytes;
        }
        self.queue().submit([encoder.finish()]);
        let (sender, receiver) = futures_intrusive::channel::shared::oneshot_channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver is gone only when the reader gave up.
            let _ = sender.send(result);
        });
        // In a browser the event loop drives the map; elsewhere this does.
        #[cfg(not(target_arch = "wasm32"))]
        self.wait()?;
        match receiver.receive().await {
            Some(Ok(())) => {}
            Some(Err(e)) => return Err(self.error(format!("reading back failed: {e}"))),
            None => return Err(self.error("reading back was given up by the driver".into())),
        }
        let view =
            staging.get_mapped_range(..).map_err(|e| self.error(format!("reading back failed: {e}")))?;
        let mut rest: &[u8] = &view;
        let mut result = Vec::with_capacity(parts.len());
        for (_, _, bytes) in parts {
            let (part, tail) = rest.split_at(*bytes as usize);
            result.push(part.to_vec());
            rest = tail;
        }
        self.check()?;
        Ok(result)
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn read(&self, parts: &[(&Buffer, u64, u64)]) -> Result<Vec<Vec<u8>>> {
        pollster::block_on(self.read_async(parts))
    }
}
