//! A plan's outputs of one element, such as the loss: each micro-batch has its own, and after the step they hold the mean
//! or the sum over all of them.

use super::reduction::bound;
use crate::device::{Buffer, Pipelines};
use crate::error::{Error, Result};
use crate::graph::{Source, Value};
use crate::op::ALIGNMENT;
use crate::plan::Place;
use crate::session::Session;
use crate::shader::{Kernel, kernels};
use crate::tensor::DType;

/// The outputs, and where they are summed.
#[derive(Debug)]
pub(super) struct Scalars {
    all: Vec<Scalar>,
    sums: Buffer,
    /// The kernels `count_to_float` and `count_from_float`, if there is a count.
    pipelines: Option<Pipelines>,
}

#[derive(Debug)]
struct Scalar {
    buffer: Buffer,
    /// Number of the plan's buffer.
    number: usize,
    offset: u64,
    is_mean: bool,
    /// For a count: there and back.
    convert: Option<[wgpu::BindGroup; 2]>,
}

impl Scalars {
    /// The outputs of one element; of those in `summed`, and of counts, the sum is made instead of the mean.
    pub(super) fn new(session: &Session, summed: &[Value]) -> Result<Scalars> {
        let (device, plan) = (&session.device, &session.plan);
        plan.graph().check_owned(summed.iter().copied())?;
        let mut found: Vec<(Value, usize, u64, DType)> = Vec::new();
        for &value in plan.outputs() {
            let info = plan.graph().info(value);
            let is_new = !found.iter().any(|(other, ..)| *other == value);
            if info.ty.shape.elements() == 1
                && is_new
                && matches!(plan.graph().info(plan.graph().storage(value)).source, Source::Node { .. })
                && let Some(Place::Owned { buffer, offset, .. }) = plan.place(value)
            {
                found.push((value, buffer, offset, info.ty.dtype));
            }
        }
        let of = |value: Value| found.iter().position(|(other, ..)| *other == value);
        if let Some(&value) = summed.iter().find(|&&value| of(value).is_none()) {
            let name = plan.graph().info(value).name.clone();
            let message =
                "is to be summed over micro-batches, which only outputs of one element can be".into();
            return Err(Error::Value { name, message });
        }
        if let Some((value, .., dtype)) =
            found.iter().find(|(.., dtype)| !matches!(dtype, DType::F32 | DType::U32))
        {
            let name = plan.graph().info(*value).name.clone();
            let message = format!(
                "is {dtype}, and only f32 and u32 can be summed over micro-batches; leave it out of the plan's outputs"
            );
            return Err(Error::Value { name, message });
        }
        let sums = device.buffer("losses of micro-batches", ALIGNMENT * found.len().max(1) as u64)?;
        let pipelines = if found.iter().any(|(.., dtype)| *dtype == DType::U32) {
            let kernels = [Kernel::new(&kernels::count_to_float), Kernel::new(&kernels::count_from_float)];
            Some(Pipelines::compile(device, &kernels.iter().collect::<Vec<_>>())?)
        } else {
            None
        };
        let mut all = Vec::with_capacity(found.len());
        for (place, (value, number, offset, dtype)) in found.into_iter().enumerate() {
            let (at, buffer) = (ALIGNMENT * place as u64, session.buffers[number].clone());
            let mut convert = None;
            if let Some(pipelines) = pipelines.as_ref().filter(|_| dtype == DType::U32) {
                let made = |kernel: usize, entries: &[wgpu::BindGroupEntry<'_>]| {
                    let layout = pipelines.layout(kernel);
                    let label = Some("a count of micro-batches");
                    device.guarded(|raw| {
                        raw.create_bind_group(&wgpu::BindGroupDescriptor { label, layout, entries })
                    })
                };
                convert = Some([
                    made(0, &[bound(0, &sums, at, 4), bound(1, &buffer, offset, 4)])?,
                    made(1, &[bound(0, &buffer, offset, 4), bound(1, &sums, at, 4)])?,
                ]);
            }
            let is_mean = convert.is_none() && !summed.contains(&value);
            all.push(Scalar { buffer, number, offset, is_mean, convert });
        }
        Ok(Scalars { all, sums, pipelines })
    }

    /// Where each is summed, and whether the mean is made of it.
    pub(super) fn places(&self) -> impl Iterator<Item = (&Buffer, u64, bool)> {
        let numbered = self.all.iter().enumerate();
        numbered.map(|(number, scalar)| (&self.sums, ALIGNMENT * number as u64, scalar.is_mean))
    }

    /// Encodes copies of the outputs to where they are summed.
    pub(super) fn encode_take(&self, session: &mut Session) {
        self.encode(session, 0);
    }

    /// Encodes copies of the sums to the outputs.
    pub(super) fn encode_give(&self, session: &mut Session) {
        self.encode(session, 1);
    }

    /// Encodes copies of the outputs of another session of the same plan.
    pub(super) fn encode_copy(&self, session: &mut Session, other: &Session) {
        let encoder = session.uploads.encoder(&session.device);
        for Scalar { buffer, number, offset, .. } in &self.all {
            encoder.copy_buffer_to_buffer(&other.buffers[*number].raw, *offset, &buffer.raw, *offset, 4);
        }
    }

    fn encode(&self, session: &mut Session, direction: usize) {
        let encoder = session.uploads.encoder(&session.device);
        for (number, scalar) in self.all.iter().enumerate() {
            let (sums, at) = (&self.sums.raw, ALIGNMENT * number as u64);
            match (&scalar.convert, &self.pipelines) {
                (Some(bind_groups), Some(pipelines)) => {
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                    pass.set_pipeline(pipelines.pipeline(direction));
                    pass.set_bind_group(0, &bind_groups[direction], &[]);
                    pass.dispatch_workgroups(1, 1, 1);
                    session.counters.dispatches += 1;
                }
                _ if direction == 0 => {
                    encoder.copy_buffer_to_buffer(&scalar.buffer.raw, scalar.offset, sums, at, 4);
                }
                _ => encoder.copy_buffer_to_buffer(sums, at, &scalar.buffer.raw, scalar.offset, 4),
            }
        }
    }
}
