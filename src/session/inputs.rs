//! Contents of inputs: checked, then uploaded with the step that they are for.

use super::Session;
use super::upload::At;
use crate::error::{Error, Result};
use crate::graph::{Source, Value, ValueInfo};
use crate::tensor::HostSlice;

impl Session {
    /// Gives an input its contents for the coming steps, until it is written again.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// # use wgrad::{Result, Session, Value};
    /// # fn train(session: &mut Session, images: Value, labels: Value, rate: Value) -> Result<()> {
    /// session.write(images, &vec![0.5; 64 * 784])?;
    /// session.write(labels, &vec![3; 64])?; // i32
    /// session.write_scalar(rate, 0.01)?;
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A value that is not an input; another element type or number of elements; a class label out of range;
    /// a lost device.
    pub fn write<'a>(&mut self, value: Value, data: impl Into<HostSlice<'a>>) -> Result<()> {
        self.write_at(value, data.into(), At::Now)
    }

    /// Gives an input its contents for one more of the coming steps: the first call for the next step, another call for
    /// the step after it, and so on. [`Session::run`] takes several steps' contents at once. All inputs that are written
    /// ahead have to be so for as many steps. The last contents stay until the input is written again; [`Session::write`]
    /// drops what was written ahead and not used.
    ///
    /// Each step ahead takes staging memory as large as all inputs together, which the session keeps.
    ///
    /// # Errors
    /// As [`Session::write`]; not enough memory.
    pub fn write_ahead<'a>(&mut self, value: Value, data: impl Into<HostSlice<'a>>) -> Result<()> {
        self.write_at(value, data.into(), At::Ahead)
    }

    fn write_at(&mut self, value: Value, data: HostSlice<'_>, at: At) -> Result<()> {
        self.device.check()?;
        self.plan.graph().check_owned([value])?;
        let info = self.plan.graph().info(value);
        check_contents(info, data)?;
        let ahead = if matches!(at, At::Ahead) { self.uploads.ahead(value) } else { 0 };
        if let Some(watch) = &mut self.watch {
            watch.look_at(value, data, ahead);
        }
        self.counters.bytes_uploaded += self.uploads.write(&self.device, value, data.bytes(), at)?;
        Ok(())
    }

    /// Gives a scalar input, such as the learning rate, its value for the coming steps.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub fn write_scalar(&mut self, value: Value, number: f32) -> Result<()> {
        self.write(value, &[number])
    }
}

fn check_contents(info: &ValueInfo, data: HostSlice<'_>) -> Result<()> {
    let error = |message: String| Err(Error::Value { name: info.name.clone(), message });
    if !matches!(info.source, Source::Input) {
        return error("is not an input; only inputs can be written".into());
    }
    if data.dtype() != info.ty.dtype {
        return error(format!("holds {}, found {} data", info.ty, data.dtype()));
    }
    if data.len() != info.ty.shape.elements() {
        return error(format!(
            "shape {} has {} elements, found {}",
            info.ty.shape,
            info.ty.shape.elements(),
            data.len()
        ));
    }
    if let HostSlice::I32(labels) = data {
        return info.labels.check(labels).or_else(error);
    }
    Ok(())
}
