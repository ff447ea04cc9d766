//! A file of tensors on the host: what it holds, and one tensor at a time. It needs no network and no device; `load.rs`
//! has files that go into weights.

use super::contents::Contents;
use super::reader::Reader;
use super::{Metadata, StoredTensor, StoredType};
use crate::error::Result;
use crate::file::printable;
use std::fmt;
use std::path::Path;

/// An open file of tensors, read on the host without a device and without knowing the network. It takes all formats that
/// [`Weights::load`](crate::Weights::load) does: safetensors, what `torch.save` writes, and an index of several files.
///
/// ```no_run
/// use wgrad::weights::TensorFile;
///
/// # fn main() -> wgrad::Result<()> {
/// let file = TensorFile::open("resnet18.pth")?;
/// for tensor in file.tensors() {
///     println!("{} {} {:?}", tensor.name, tensor.ty, tensor.shape);
/// }
/// let weight = file.read("fc.weight")?; // [1000, 512], in the file's element type
/// println!("{} bytes", weight.bytes().len());
/// # Ok(())
/// # }
/// ```
///
/// Opening reads the list of tensors, of at most 16 MiB. A tensor's contents are read when they are asked for.
pub struct TensorFile {
    reader: Reader<'static>,
}

/// A tensor of a [`TensorFile`].
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct TensorInfo<'f> {
    /// Its name. It may be any text; [`printable`](crate::file::printable) makes it safe to print.
    pub name: &'f str,
    /// Its element type in the file.
    pub ty: StoredType,
    /// Its sizes, outermost first.
    pub shape: &'f [usize],
    /// Whether it is state of a checkpoint's optimizer, or an average of a parameter, and no part of a state dict.
    pub is_state: bool,
}

impl TensorInfo<'_> {
    /// Number of elements; saturates.
    pub fn elements(&self) -> u64 {
        self.shape.iter().fold(1, |product: u64, &size| product.saturating_mul(size as u64))
    }

    /// Bytes of its elements; saturates.
    pub fn bytes(&self) -> u64 {
        self.ty.bytes(self.elements())
    }
}

/// The format of a [`TensorFile`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TensorFormat {
    /// A safetensors file.
    Safetensors,
    /// What `torch.save` writes.
    Pytorch,
    /// An index of several files.
    Index,
}

impl fmt::Display for TensorFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TensorFormat::Safetensors => "safetensors",
            TensorFormat::Pytorch => "pytorch",
            TensorFormat::Index => "index",
        })
    }
}

impl TensorFile {
    /// Opens a file and reads its list of tensors. The first bytes tell the format.
    ///
    /// # Errors
    /// A file that can't be read, is damaged, or is of a format that [`Weights::load`](crate::Weights::load) does not
    /// read; a list of more than 16 MiB.
    pub fn open(path: impl AsRef<Path>) -> Result<TensorFile> {
        let reader = Reader::of(Contents::open_file(path.as_ref().to_owned())?, 0)?;
        if let Some((name, stored)) =
            reader.all().iter().find(|(_, stored)| StoredType::of(stored.dtype).is_none())
        {
            return Err(reader.error(format!(
                "tensor \"{}\" is of the unknown type {}",
                printable(name),
                stored.dtype
            )));
        }
        Ok(TensorFile { reader })
    }

    /// The file's format.
    pub fn format(&self) -> TensorFormat {
        self.reader.format
    }

    /// Its tensors, in the order of their names.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = TensorInfo<'_>> {
        self.reader.all().iter().map(|(name, stored)| TensorInfo {
            name,
            ty: StoredType::of(stored.dtype).expect("types were checked when it was opened"),
            shape: &stored.shape,
            is_state: self.reader.is_state(name),
        })
    }

    /// How many tensors a PyTorch file has outside of its state dict, such as an optimizer's. They are not listed.
    pub fn unlisted(&self) -> usize {
        self.reader.unlisted
    }

    /// The tensor of this name; `None` if there is none.
    pub fn tensor(&self, name: &str) -> Option<TensorInfo<'_>> {
        let (name, stored) = self.reader.all().get_key_value(name)?;
        let ty = StoredType::of(stored.dtype)?;
        Some(TensorInfo { name, ty, shape: &stored.shape, is_state: self.reader.is_state(name) })
    }

    /// The contents of one tensor, in the file's element type. A view of a PyTorch file is read in the order of its shape.
    ///
    /// # Errors
    /// No such tensor; a view that repeats its numbers until it is larger than the file; a file that can't be read or has
    /// changed meanwhile; not enough memory.
    pub fn read(&self, name: &str) -> Result<StoredTensor> {
        let Some(info) = self.tensor(name) else {
            return Err(self.reader.error(format!("holds no tensor \"{}\"", printable(name))));
        };
        let bytes = self.reader.bytes(name, info.bytes())?;
        StoredTensor::new(info.ty, info.shape, bytes)
    }

    /// What the file says of its network.
    pub fn metadata(&self) -> &Metadata {
        &self.reader.metadata
    }

    /// Numbers of the next steps, if the file is a checkpoint: one for each session that trained the weights.
    pub fn checkpoint_steps(&self) -> Option<&[u32]> {
        self.reader.checkpoint.as_ref().map(|checkpoint| &checkpoint.step_numbers[..])
    }

    /// The notes of a checkpoint, by name. Other files have theirs in [`Metadata::notes`].
    pub fn checkpoint_notes(&self) -> impl Iterator<Item = (&str, &str)> {
        let notes = self.reader.checkpoint.iter().flat_map(|checkpoint| &checkpoint.notes);
        notes.map(|(name, note)| (name.as_str(), note.as_str()))
    }

    /// The files that it is read from: the file itself, behind those that it names if it is an index.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.reader.files().iter().map(|file| file.path.as_path())
    }

    /// Bytes of the file, or of all files that an index names.
    pub fn file_bytes(&self) -> u64 {
        self.reader.holding().iter().map(Contents::len).sum()
    }
}

impl fmt::Debug for TensorFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TensorFile")
            .field("format", &self.format())
            .field("tensors", &self.tensors().len())
            .finish_non_exhaustive()
    }
}
