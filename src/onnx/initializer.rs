//! The initialisers of a model, for programs that list or convert them. Networks take theirs in `import/`.

use super::tensor::{Data, byte_count};
use super::{ElementType, Model, read};
use crate::error::Result;
use crate::file::printable;
use crate::tensor::Shape;
use crate::weights::{StoredTensor, StoredType};
use half::{bf16, f16};
use std::collections::HashMap;

/// A tensor that a model holds under a name: a weight, or numbers that describe shapes.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Initializer {
    /// Its name. It may be any text; [`printable`](crate::file::printable) makes it safe to print.
    pub name: String,
    /// Its element type, or `None` for one that is not read.
    pub element: Option<ElementType>,
    /// Its shape; empty if its type is not read.
    pub shape: Shape,
    /// Bytes of its elements; 0 if its type is not read.
    pub bytes: u64,
}

impl Model {
    /// The initialisers, in the order of their names. Tensors of nodes `Constant` are not among them.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// let model = wgrad::onnx::Model::open("mobilenet.onnx")?;
    /// for initializer in model.initializers() {
    ///     println!("{} {}", initializer.name, initializer.shape);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn initializers(&self) -> Vec<Initializer> {
        listed(&self.contents.initializers)
    }

    /// The tensors of nodes `Constant`, in the order of their names. Most describe shapes; some programs write weights so.
    pub fn constants(&self) -> Vec<Initializer> {
        listed(&self.contents.constants)
    }

    /// The contents of an initialiser of floats, in the file's element type.
    ///
    /// # Errors
    /// No such initialiser; one of another type than floats of 16, 32 or 64 bits.
    pub fn initializer(&self, name: &str) -> Result<StoredTensor> {
        let fail =
            |message: String| self.contents.error(format!("initialiser \"{}\" {message}", printable(name)));
        let tensor = match self.contents.initializers.get(name) {
            None => return Err(fail("is not there".into())),
            Some(Err(message)) => return Err(fail(message.clone())),
            Some(Ok(tensor)) => tensor,
        };
        let bytes = match (&tensor.data, tensor.element) {
            (Data::Double(data), _) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
            // Floats of 16 bits became f32 without rounding.
            (Data::Float(data), ElementType::F16) => {
                data.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect()
            }
            (Data::Float(data), ElementType::Bf16) => {
                data.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect()
            }
            (Data::Float(data), _) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
            (Data::Int(_) | Data::Bool(_), element) => {
                return Err(fail(format!("is {element}, expected floats")));
            }
        };
        let ty = match tensor.element {
            ElementType::F16 => StoredType::F16,
            ElementType::Bf16 => StoredType::Bf16,
            ElementType::F64 => StoredType::F64,
            _ => StoredType::F32,
        };
        StoredTensor::new(ty, tensor.shape.clone(), bytes)
    }
}

fn listed(tensors: &HashMap<String, read::Initializer>) -> Vec<Initializer> {
    let described = |(name, read): (&String, &read::Initializer)| {
        let tensor = read.as_ref().ok();
        Initializer {
            name: name.clone(),
            element: tensor.map(|tensor| tensor.element),
            shape: tensor.map_or_else(|| Shape::from([0; 0]), |tensor| tensor.shape.clone()),
            bytes: tensor.map_or(0, |tensor| byte_count(tensor.element, tensor.elements()) as u64),
        }
    };
    let mut all: Vec<Initializer> = tensors.iter().map(described).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
