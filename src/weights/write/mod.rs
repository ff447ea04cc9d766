//! Writes tensors of host memory to files, one after the other: `safetensors.rs`, and `pytorch.rs` as `torch.save` does, a
//! pickle (`pickle.rs`) in an archive (`zip.rs`). What weights on a device save is in `file.rs`.

mod pickle;
mod pytorch;
pub(super) mod safetensors;
mod zip;

use super::{Metadata, StoredTensor, StoredType};
use crate::error::{Error, Result};
use crate::file::{printable, write_whole_by};
use crate::tensor::Shape;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// Makes a tensor's contents when they are written.
type Read<'s> = Box<dyn Fn() -> Result<StoredTensor> + 's>;

/// A tensor that will be written.
struct Tensor<'s> {
    name: String,
    ty: StoredType,
    shape: Shape,
    read: Read<'s>,
}

impl Tensor<'_> {
    fn described(&self) -> safetensors::Described<'_> {
        (&self.name, self.ty, &self.shape)
    }

    fn size(&self) -> u64 {
        self.ty.bytes(self.shape.elements() as u64)
    }

    /// The contents, which must be what was promised.
    fn contents(&self) -> Result<Vec<u8>> {
        let tensor = (self.read)()?;
        if (tensor.ty(), tensor.shape()) != (self.ty, &self.shape) {
            return Err(setting(format!(
                "\"{}\" was to be {}{}, and is {}{}",
                printable(&self.name),
                self.ty,
                self.shape,
                tensor.ty(),
                tensor.shape()
            )));
        }
        Ok(tensor.into_bytes())
    }
}

/// Writes tensors of host memory to a file, without a device.
///
/// Tensors may be in memory, or be read when their turn comes, so that a file of any size is copied with one tensor in
/// memory:
///
/// ```no_run
/// use wgrad::weights::{StoredTensor, StoredType, TensorFile, TensorWriter};
///
/// # fn main() -> wgrad::Result<()> {
/// let file = TensorFile::open("model.safetensors")?;
/// let mut writer = TensorWriter::new();
/// for tensor in file.tensors() {
///     writer.add_with(tensor.name, tensor.ty, tensor.shape, || file.read(tensor.name))?;
/// }
/// writer.add("scale", StoredTensor::new(StoredType::F32, [0; 0], 0.5f32.to_le_bytes().to_vec())?)?;
/// writer.save_pytorch("model.pt")?; // torch.load("model.pt", weights_only=True)
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct TensorWriter<'s> {
    tensors: Vec<Tensor<'s>>,
    names: BTreeSet<String>,
    metadata: Metadata,
}

impl<'s> TensorWriter<'s> {
    /// A file without tensors.
    pub fn new() -> Self {
        TensorWriter::default()
    }

    /// Sets what the file says of its network. PyTorch's files have no place for it.
    ///
    /// # Errors
    /// As [`Weights::set_metadata`](crate::Weights::set_metadata).
    pub fn set_metadata(&mut self, metadata: Metadata) -> Result<()> {
        metadata.check().map_err(|message| Error::Setting { setting: "metadata", message })?;
        self.metadata = metadata;
        Ok(())
    }

    /// Adds a tensor.
    ///
    /// # Errors
    /// A name that another tensor has.
    pub fn add(&mut self, name: impl Into<String>, tensor: StoredTensor) -> Result<()> {
        let (ty, shape) = (tensor.ty(), tensor.shape().clone());
        self.add_with(name, ty, shape, move || Ok(tensor.clone()))
    }

    /// Adds a tensor that `read` makes when it is written. It must be of this type and shape.
    ///
    /// # Errors
    /// A name that another tensor has; sizes whose product can't be counted.
    pub fn add_with(
        &mut self,
        name: impl Into<String>,
        ty: StoredType,
        shape: impl Into<Shape>,
        read: impl Fn() -> Result<StoredTensor> + 's,
    ) -> Result<()> {
        let (name, shape) = (name.into(), shape.into());
        let elements = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        if elements.is_none() {
            return Err(setting(format!(
                "\"{}\" of shape {shape} has more elements than can be counted",
                printable(&name)
            )));
        }
        if !self.names.insert(name.clone()) {
            return Err(setting(format!("there are two of the name \"{}\"", printable(&name))));
        }
        self.tensors.push(Tensor { name, ty, shape, read: Box::new(read) });
        Ok(())
    }

    /// Writes a safetensors file, by [`write_whole`](crate::file::write_whole).
    ///
    /// # Errors
    /// A path that can't be written; the name `__metadata__`, which the format reserves; a tensor that does not end at a
    /// whole byte; names and metadata too long for the format; what reading a tensor fails with.
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut order: Vec<&Tensor<'_>> = self.tensors.iter().collect();
        order.sort_by(|left, right| safetensors::order(left.described(), right.described()));
        let described = order.iter().map(|tensor| tensor.described());
        let header = safetensors::header(described, &self.metadata.of_weights())
            .map_err(|message| Error::Weights { path: path.to_owned(), message })?;
        write_whole_by(path, |file| {
            file.write(&header)?;
            order.into_iter().try_for_each(|tensor| file.write(&tensor.contents()?))
        })
    }

    /// Writes what `torch.save` writes of a state dict, by [`write_whole`](crate::file::write_whole):
    /// `torch.load(path, weights_only=True)` reads it. The dict has the order in which tensors were added. PyTorch reads any
    /// number of them; this library refuses pickles of more than some 40,000.
    ///
    /// # Errors
    /// A path that can't be written; a tensor of F4 or F6, which PyTorch does not have; what reading a tensor fails
    /// with.
    pub fn save_pytorch(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let pickle = pickle::state_dict(&self.tensors)
            .map_err(|message| Error::Weights { path: path.to_owned(), message })?;
        write_whole_by(path, |file| pytorch::write(&self.tensors, &pickle, |bytes| file.write(bytes)))
    }
}

impl fmt::Debug for TensorWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TensorWriter").field("names", &self.names).finish_non_exhaustive()
    }
}

fn setting(message: String) -> Error {
    Error::Setting { setting: "tensor", message }
}
