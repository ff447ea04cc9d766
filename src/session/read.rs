//! Values that are read back: outputs, inputs, parameters and state.

use super::{Session, watch};
use crate::device::Buffer;
use crate::error::{Error, Result};
use crate::graph::{Source, Value};
use crate::plan::Place;
use crate::tensor::{DType, HostTensor};

impl Session {
    /// Downloads an output of the plan, a parameter or a state. Waits for the GPU.
    ///
    /// # Errors
    /// A value that is not kept after a step: name it among the plan's outputs. An output before the first step. A
    /// fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read(&mut self, value: Value) -> Result<HostTensor> {
        crate::device::block_on(self.read_async(value))
    }

    /// [`Session::read`] without blocking.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub async fn read_async(&mut self, value: Value) -> Result<HostTensor> {
        self.check_readable(value)?;
        Ok(self.download(&[value]).await?.remove(0))
    }

    /// [`Session::read`] of f32 into memory of the caller. The session keeps the staging memory for the next call, so that
    /// further calls of the same size allocate nothing.
    ///
    /// # Errors
    /// As [`Session::read`]; a value of another type or number of elements.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_into(&mut self, value: Value, into: &mut [f32]) -> Result<()> {
        crate::device::block_on(self.read_into_async(value, into))
    }

    /// [`Session::read_into`] without blocking.
    ///
    /// # Errors
    /// As [`Session::read_into`].
    pub async fn read_into_async(&mut self, value: Value, into: &mut [f32]) -> Result<()> {
        self.check_readable(value)?;
        let info = self.plan.graph().info(value);
        if info.ty.dtype != DType::F32 || info.ty.shape.elements() != into.len() {
            let message = format!("is {}, found memory for {} f32", info.ty, into.len());
            return Err(Error::Value { name: info.name.clone(), message });
        }
        let (buffer, offset) = self.locate(value)?;
        let part = [(&buffer.clone(), offset, info.ty.bytes())];
        let copy = |bytes: &[u8]| {
            bytemuck::cast_slice_mut(into).copy_from_slice(bytes);
            Ok(())
        };
        let read = self.device.read_by(&mut self.readback, &part, copy).await;
        let allocated = read.map_err(|e| e.of_step(self.last_step()))?;
        self.counters.bytes_read_back += part[0].2;
        self.counters.allocations += u64::from(allocated);
        Ok(())
    }

    /// Fails if there is nothing to read.
    fn check_readable(&self, value: Value) -> Result<()> {
        self.device.check()?;
        self.check_kept(value)?;
        let (graph, info) = (self.plan.graph(), self.plan.graph().info(value));
        let source = &graph.info(graph.storage(value)).source;
        if self.counters.steps == 0 && matches!(source, Source::Node { .. }) {
            return Err(Error::Value {
                name: info.name.clone(),
                message: "holds nothing before the first step; run one".into(),
            });
        }
        Ok(())
    }

    /// Fails if a value's memory holds other things after a step.
    pub(super) fn check_kept(&self, value: Value) -> Result<()> {
        let graph = self.plan.graph();
        graph.check_owned([value])?;
        let info = graph.info(value);
        let root = graph.storage(value);
        let kept = self.plan.outputs().iter().any(|&o| graph.storage(o) == root);
        if !kept && matches!(graph.info(root).source, Source::Node { .. } | Source::Dropped) {
            return Err(Error::Value {
                name: info.name.clone(),
                message: "is not kept after the step; name it among the plan's outputs".into(),
            });
        }
        Ok(())
    }

    /// Downloads values, wherever they lie, in one readback.
    pub(super) async fn download(&mut self, values: &[Value]) -> Result<Vec<HostTensor>> {
        self.device.check()?;
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let mut located = Vec::with_capacity(values.len());
        for &value in values {
            let (buffer, offset) = self.locate(value)?;
            located.push((buffer.clone(), offset, self.plan.graph().info(value).ty.bytes()));
        }
        let parts: Vec<_> = located.iter().map(|(buffer, offset, bytes)| (buffer, *offset, *bytes)).collect();
        let bytes = watch::read(&self.device, &mut self.watch, &mut self.counters, &parts)
            .await
            .map_err(|e| e.of_step(self.last_step()))?;
        self.counters.bytes_read_back += bytes.iter().map(|part| part.len() as u64).sum::<u64>();
        self.counters.allocations += 1;
        let types = values.iter().map(|&value| &self.plan.graph().info(value).ty);
        types.zip(&bytes).map(|(kind, bytes)| HostTensor::from_bytes(kind, bytes)).collect()
    }

    pub(super) fn locate(&self, value: Value) -> Result<(&Buffer, u64)> {
        match self.plan.place(value) {
            Some(Place::Owned { buffer, offset, .. }) => Ok((&self.buffers[buffer], offset)),
            Some(Place::Stored { value, .. }) => self.weights.place(self.plan.graph(), &[value]),
            None => {
                let root = self.plan.graph().storage(value);
                let info = self.plan.graph().info(root);
                if matches!(info.source, Source::Parameter(_) | Source::State { .. }) {
                    return self.weights.place(self.plan.graph(), &[root]);
                }
                Err(Error::Value { name: info.name.clone(), message: "takes no part in this plan".into() })
            }
        }
    }
}
