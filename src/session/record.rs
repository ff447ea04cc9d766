//! Records: values of every step, kept on the device and read back together.

use super::{Session, watch};
use crate::device::Buffer;
use crate::error::{Error, Result};
use crate::graph::Value;
use crate::plan::Place;
use crate::tensor::HostTensor;

/// A ring of the last values of one output, filled on the device.
#[derive(Debug)]
pub(super) struct Record {
    pub value: Value,
    ring: Buffer,
    pub capacity: u64,
    pub count: u64,
}

impl Session {
    /// Starts recording a one-element output: keeps its last `capacity` values on the device, for
    /// [`Session::recorded`] to read together. Following a loss then costs no readback per step.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// # use wgrad::{Result, Session, Value};
    /// # fn train(session: &mut Session, loss: Value) -> Result<()> {
    /// session.record(loss, 100)?;
    /// for _ in 0..100 {
    ///     session.step()?;
    /// }
    /// let losses = session.recorded(loss)?.to_f64(); // one readback
    /// println!("mean of 100 steps: {}", losses.iter().sum::<f64>() / 100.0);
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A value that is not a one-element output of the plan; not enough device memory; a lost device.
    pub fn record(&mut self, value: Value, capacity: usize) -> Result<()> {
        self.device.check()?;
        self.plan.graph().check_owned([value])?;
        let info = self.plan.graph().info(value);
        if info.ty.shape.elements() != 1 || !self.plan.outputs().contains(&value) || capacity == 0 {
            return Err(Error::Value {
                name: info.name.clone(),
                message: format!(
                    "only a one-element output of the plan can be recorded, with a capacity of at least 1; this is {}",
                    info.ty
                ),
            });
        }
        let ring = self.device.buffer("record", 4u64.saturating_mul(capacity as u64))?;
        self.counters.allocations += 1;
        self.records.retain(|r| r.value != value);
        self.records.push(Record { value, ring, capacity: capacity as u64, count: 0 });
        Ok(())
    }

    /// Downloads the values recorded since the last call, oldest first, and clears the record. If more steps
    /// ran than the capacity, the oldest values are lost.
    ///
    /// # Errors
    /// A value that is not being recorded; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn recorded(&mut self, value: Value) -> Result<HostTensor> {
        crate::device::block_on(self.recorded_async(value))
    }

    /// [`Session::recorded`] without blocking.
    ///
    /// # Errors
    /// As [`Session::recorded`].
    pub async fn recorded_async(&mut self, value: Value) -> Result<HostTensor> {
        self.device.check()?;
        let last_step = self.last_step();
        self.plan.graph().check_owned([value])?;
        let info = self.plan.graph().info(value);
        let mut kind = info.ty.clone();
        let Some(record) = self.records.iter_mut().find(|r| r.value == value) else {
            return Err(Error::Value {
                name: info.name.clone(),
                message: "is not being recorded; call record first".into(),
            });
        };
        let kept = record.count.min(record.capacity);
        kind.shape = crate::Shape::from([kept as usize]);
        if kept == 0 {
            return HostTensor::from_bytes(&kind, &[]);
        }
        let parts = [(&record.ring, 0, 4 * kept)];
        let read = watch::read(&self.device, &mut self.watch, &mut self.counters, &parts).await;
        let mut bytes = read.map_err(|e| e.of_step(last_step))?.remove(0);
        if record.count > record.capacity {
            bytes.rotate_left(4 * (record.count % record.capacity) as usize);
        }
        record.count = 0;
        self.counters.bytes_read_back += 4 * kept;
        self.counters.allocations += 1;
        HostTensor::from_bytes(&kind, &bytes)
    }

    /// Encodes what comes behind a step's dispatches, if the submission ends `before` other steps.
    pub(super) fn encode_records(&mut self, before: u64) {
        self.encode_watch();
        for record in &self.records {
            let Some(Place::Owned { buffer, offset, .. }) = self.plan.place(record.value) else { continue };
            let at = 4 * ((record.count + before) % record.capacity);
            let encoder = self.uploads.encoder(&self.device);
            encoder.copy_buffer_to_buffer(&self.buffers[buffer].raw, offset, &record.ring.raw, at, 4);
        }
    }
}
