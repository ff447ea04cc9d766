//! Steps in an app's own encoder, and an app's own use of a session's buffers.

use super::Session;
use crate::error::{Error, Result};
use crate::graph::{Source, Value};

impl Session {
    /// Encodes one step into an app's encoder: uploads of inputs, dispatches, records and the numerics watch. The app
    /// submits it, together with passes of its own. For a device of [`Device::from_wgpu`](crate::Device::from_wgpu).
    ///
    /// Nothing is run until then. Several steps may be encoded before one submission, each with the inputs that were
    /// written before it. A step counts when it is encoded, so submit every encoder, in the order of encoding, and before
    /// [`Session::step`] or anything that reads. A step that [`PlanOptions::longest_submit`](crate::PlanOptions::longest_submit)
    /// would split is encoded whole.
    ///
    /// ```no_run
    /// # use wgrad::{Result, Session, Value, wgpu};
    /// # fn frame(session: &mut Session, x: Value, device: &wgpu::Device, queue: &wgpu::Queue) -> Result<()> {
    /// let mut encoder = device.create_command_encoder(&Default::default());
    /// session.write(x, &[0.0, 1.0, 2.0])?;
    /// session.encode_step(&mut encoder)?;
    /// // The app's passes, which may bind session.output_binding(y)?.
    /// queue.submit([encoder.finish()]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A device that this library opened; as [`Session::step`]. Then nothing was encoded, unless the device was lost. What
    /// the driver refuses, it refuses when the app finishes or submits the encoder.
    pub fn encode_step(&mut self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        if !self.device.is_embedded() {
            return Err(Error::Setting {
                setting: "device",
                message: "an app's encoder belongs to another device than the session's; make the session's by Device::from_wgpu".into(),
            });
        }
        self.begin(1)?;
        let device = self.device.clone();
        device.guarded(|_| {
            self.uploads.lend(&device, encoder);
            self.encode_inputs();
            self.encode(0..self.plan.dispatches().len());
            self.encode_records(0);
            self.uploads.give_back(encoder);
        })?;
        self.count_step();
        Ok(())
    }

    /// Where an output, a parameter, a state or an input lies, for an app's bind group: read-only storage, with no copy. Elements lie
    /// one after the other in row-major order, as [`HostTensor`](crate::HostTensor) has them: 32-bit floats, 32-bit
    /// integers, or four bytes to a word.
    ///
    /// The buffer and the place stay the same as long as the session lives. An output holds its contents until the next
    /// step, which uses the memory for other values before.
    ///
    /// # Errors
    /// A value that is not kept after a step: name it among the plan's outputs. A lost device.
    pub fn output_binding(&self, value: Value) -> Result<wgpu::BufferBinding<'_>> {
        self.device.check()?;
        self.check_kept(value)?;
        self.binding(value)
    }

    /// Where an input lies, for an app's bind group. The app's passes may write it, as read-write storage, and copies may.
    /// From now on the input counts as written, and what [`Session::write`] gave it before is dropped.
    ///
    /// A step reads what was written last, and the next steps too: an input keeps its contents. After another
    /// [`Session::write`] the next step replaces them. The numerics watch does not look at what passes write.
    ///
    /// # Errors
    /// A value that is not an input, or that no node reads; labels and other indices, which kernels trust because
    /// [`Session::write`] checks them; a lost device.
    pub fn input_binding(&mut self, value: Value) -> Result<wgpu::BufferBinding<'_>> {
        self.device.check()?;
        self.plan.graph().check_owned([value])?;
        let info = self.plan.graph().info(value);
        let error = |message: &str| Err(Error::Value { name: info.name.clone(), message: message.into() });
        if !matches!(info.source, Source::Input) {
            return error("is not an input; only inputs can be written");
        }
        if info.labels.classes().is_some() {
            return error(
                "holds indices, which kernels trust; write it by Session::write, which checks them",
            );
        }
        self.locate(value)?;
        self.uploads.skip(value);
        self.binding(value)
    }

    fn binding(&self, value: Value) -> Result<wgpu::BufferBinding<'_>> {
        let (buffer, offset) = self.locate(value)?;
        let bytes = self.plan.graph().info(value).ty.bytes().next_multiple_of(4);
        Ok(wgpu::BufferBinding { buffer: &buffer.raw, offset, size: wgpu::BufferSize::new(bytes) })
    }
}
