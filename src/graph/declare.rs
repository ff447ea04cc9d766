//! Values that no node makes: inputs, constants, parameters, state and the step counter; and checks of their names
//! and sizes.

use super::{Graph, Source, Value};
use crate::error::{Error, Result};
use crate::graph::Init;
use crate::tensor::{HostTensor, Shape, TensorType};

/// The one name that no tensor of a safetensors file may have.
const RESERVED_NAME: &str = "__metadata__";

impl Graph {
    /// A float input that the user writes before each step.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    ///
    /// let mut g = Graph::new();
    /// let images = g.input("images", [64, 3, 32, 32])?; // batch, channels, height, width
    /// assert_eq!(g.find("images"), Some(images));
    /// assert!(g.input("images", [1]).is_err(), "the name is taken");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A zero-sized shape, or a name that is taken.
    pub fn input(&mut self, name: &str, shape: impl Into<Shape>) -> Result<Value> {
        self.named(name, TensorType::f32(shape), Source::Input)
    }

    /// An input of class labels or other indices (i32) that the user writes before each step. The shape may be one
    /// number, the batch size, or for example `[n, h, w]` for one label per pixel.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    ///
    /// let mut g = Graph::new();
    /// let labels = g.input_i32("labels", 64)?;
    /// let words = g.input_i32("words", [16, 100])?;
    /// assert_eq!(g.shape(words)?[..], [16, 100]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A zero-sized shape, or a name that is taken.
    pub fn input_i32(&mut self, name: &str, shape: impl Into<Shape>) -> Result<Value> {
        self.named(name, TensorType::i32(shape), Source::Input)
    }

    /// An input of bytes, such as the pixels of images. It takes a quarter of the memory and of the upload that floats
    /// take. [`Graph::bytes_to_float`] and [`Graph::normalize_bytes`] make floats of it; nothing else reads it.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// let mut g = wgrad::Graph::new();
    /// let pixels = g.input_u8("pixels", [64, 3, 32, 32])?;
    /// let images = g.bytes_to_float(pixels)?; // from 0 to 1
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A zero-sized shape, or a name that is taken.
    pub fn input_u8(&mut self, name: &str, shape: impl Into<Shape>) -> Result<Value> {
        self.named(name, TensorType::u8(shape), Source::Input)
    }

    /// A float input of one number, such as the learning rate, which then changes without rebuilding.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn input_scalar(&mut self, name: &str) -> Result<Value> {
        self.named(name, TensorType::f32(Shape::scalar()), Source::Input)
    }

    /// A constant, uploaded once.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::{Graph, HostTensor};
    ///
    /// let mut g = Graph::new();
    /// let images = g.input("images", [64, 3, 32, 32])?;
    /// let mean = g.constant(HostTensor::f32([3, 1, 1], vec![0.49, 0.48, 0.45])?)?;
    /// let centred = g.sub(images, mean)?; // broadcasts
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A zero-sized tensor, or one whose number of elements differs from its shape's.
    pub fn constant(&mut self, tensor: HostTensor) -> Result<Value> {
        let ty = tensor.ty();
        tensor.check().map_err(|message| self.refusal("constant", message))?;
        self.check_size("constant", "", &ty)?;
        Ok(self.push("constant".into(), ty, Source::Constant(tensor)))
    }

    /// A trained tensor, named after the current scope: `conv1.weight`. Within [`Graph::layer`] it returns the tensor
    /// that the same layer declared before under this name.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    /// use wgrad::graph::{Fan, Init, Nonlinearity};
    ///
    /// let mut g = Graph::new();
    /// let x = g.input("x", [8, 16])?;
    /// let weight = g.parameter("weight", [4, 16], Init::kaiming_normal(Fan::In, Nonlinearity::Relu))?;
    /// let y = g.linear(x, weight, None)?;
    /// assert_eq!(g.parameters_of(y)?, [weight]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A zero-sized shape, an initial value that this shape can't have, or a name that is taken
    /// or is `__metadata__`, which safetensors files reserve.
    pub fn parameter(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Value> {
        let name = self.scoped_name(name);
        let value = self.declare(&name, TensorType::f32(shape), Source::Parameter(init))?;
        if self.freezing {
            self.frozen.extend(self.find(&name));
        }
        Ok(value)
    }

    /// A tensor that steps change without a gradient, named after the current scope. If `in_state_dict` is set,
    /// [`Weights::save`](crate::Weights::save) writes it, as PyTorch's state dicts hold running statistics;
    /// [`Session::save_checkpoint`](crate::Session::save_checkpoint) writes all state. Within [`Graph::layer`] it
    /// returns the newest value of the state that the same layer declared before under this name.
    ///
    /// # Errors
    /// A zero-sized shape, an initial value that this shape can't have, or a name that is taken
    /// or is `__metadata__`, which safetensors files reserve.
    pub fn state(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        init: Init,
        in_state_dict: bool,
    ) -> Result<Value> {
        let name = self.scoped_name(name);
        self.declare(&name, TensorType::f32(shape), Source::State { init, in_state_dict })
    }

    /// The number of the current step (u32 scalar), counted by the session from zero.
    pub fn step_counter(&mut self) -> Value {
        if let Some(value) = self.step_counter {
            return value;
        }
        let value = self.push("step".into(), TensorType::u32(Shape::scalar()), Source::StepCounter);
        self.step_counter = Some(value);
        value
    }

    pub(super) fn named(&mut self, name: &str, ty: TensorType, source: Source) -> Result<Value> {
        let what = match source {
            Source::Parameter(_) => "parameter",
            Source::State { .. } => "state",
            _ => "input",
        };
        self.check_size(what, name, &ty)?;
        if name == RESERVED_NAME && !matches!(source, Source::Input) {
            return Err(Error::Node {
                operator: what.to_owned(),
                node: name.to_owned(),
                message: "safetensors files reserve this name for their metadata, so the tensor could not be saved; choose another name".into(),
            });
        }
        if let Source::Parameter(init) | Source::State { init, .. } = &source {
            init.check(&ty.shape).map_err(|message| Error::Node {
                operator: what.to_owned(),
                node: name.to_owned(),
                message,
            })?;
        }
        if let Some(&existing) = self.names.get(name) {
            return Err(Error::Graph(format!(
                "{what} \"{name}\" {ty} takes a name that \"{name}\" {} has already; give each its own name or scope",
                self.values[existing.index].ty
            )));
        }
        let value = self.push(name.to_owned(), ty, source);
        self.names.insert(name.to_owned(), value);
        Ok(value)
    }

    pub(super) fn check_size(&self, operator: &str, node: &str, ty: &TensorType) -> Result<()> {
        let error = |message: String| {
            Err(Error::Node { operator: operator.to_owned(), node: node.to_owned(), message })
        };
        if ty.shape.elements() == 0 {
            return error(format!("shape {} has no elements; every size must be at least 1", ty.shape));
        }
        // Kernels index with u32 and i32.
        if ty.shape.elements() > i32::MAX as usize {
            return error(format!(
                "shape {} has {} elements; a tensor holds at most {}",
                ty.shape,
                ty.shape.elements(),
                i32::MAX
            ));
        }
        Ok(())
    }
}
