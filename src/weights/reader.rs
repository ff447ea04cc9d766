//! Reads files of weights: first what they hold, then the requested tensors.
//!
//! Each format lists its tensors with their places ([`Listing`]), and here they are checked and read. A file is opened
//! once. What a format reads before the tensors has a limit, and tensors must have the network's shapes, so a file can't
//! make the reader use more memory than the network and the file's own size justify.

use super::contents::{Contents, Origin};
use super::file::{counts_batches, listed};
use super::header::MOST_HEADER;
use super::stored::{Listing, Stored};
use super::{Checkpoint, Entry, Metadata, TensorFormat, floats, header, pytorch, shards};
use crate::error::{Error, Result};
use crate::file::{printable, printable_path};
use crate::memory;
use safetensors::tensor::Dtype;
use std::collections::BTreeMap;

/// The least limit of a header: room for notes and for tensors of other optimizers, however small the network
/// is.
const LONG_HEADER: u64 = 16 << 20;
/// The limit of a header, as a multiple of the network's own.
const OWN_HEADERS: u64 = 16;

/// An open file whose header was checked, or several that an index names.
pub(super) struct Reader<'p> {
    /// The file that errors name.
    named: usize,
    files: Vec<Contents<'p>>,
    tensors: BTreeMap<String, Stored>,
    /// Tensors of a PyTorch file that are not part of its state dict.
    pub unlisted: usize,
    /// The checkpoint's metadata, if it is one.
    pub checkpoint: Option<Checkpoint>,
    /// What the file says of the network.
    pub metadata: Metadata,
    pub format: TensorFormat,
}

/// A tensor of a file that has the expected shape and type.
#[derive(Clone, Copy)]
pub(super) struct Tensor<'r> {
    stored: &'r Stored,
    elements: usize,
}

impl Tensor<'_> {
    /// The element type in the file.
    pub(super) fn dtype(&self) -> String {
        self.stored.dtype.to_string()
    }

    pub(super) fn is_f32(&self) -> bool {
        self.stored.dtype == Dtype::F32
    }
}

/// Lists the tensors of one file, whose format its first bytes tell.
pub(super) fn list(file: &Contents<'_>, start: &[u8], most: u64) -> Result<Listing> {
    if header::begins(start) {
        header::read(file, start, most)
    } else if pytorch::begins(start) {
        pytorch::read(file, start, most)
    } else {
        header::read(file, start, most)
    }
}

impl<'p> Reader<'p> {
    /// Opens a file for weights whose own header takes up to `own_header` bytes.
    pub(super) fn new(from: Origin<'p>, own_header: u64) -> Result<Reader<'p>> {
        Reader::of(Contents::open(from)?, own_header)
    }

    /// [`Reader::new`] of an open file.
    pub(super) fn of(file: Contents<'p>, own_header: u64) -> Result<Reader<'p>> {
        let most = own_header.saturating_mul(OWN_HEADERS).saturating_add(LONG_HEADER).min(MOST_HEADER);
        let start = file.start()?;
        let (format, (listing, mut files)) = if shards::begins(&start) && !header::begins(&start) {
            (TensorFormat::Index, shards::read(&file, most)?)
        } else if pytorch::begins(&start) && !header::begins(&start) {
            (TensorFormat::Pytorch, (list(&file, &start, most)?, vec![]))
        } else {
            (TensorFormat::Safetensors, (list(&file, &start, most)?, vec![]))
        };
        let named = files.len();
        files.push(file);
        let Listing { tensors, unlisted, checkpoint, metadata } = listing;
        Ok(Reader { named, files, tensors, unlisted, checkpoint, metadata, format })
    }

    /// All tensors, by name.
    pub(super) fn all(&self) -> &BTreeMap<String, Stored> {
        &self.tensors
    }

    /// All files, an index last.
    pub(super) fn files(&self) -> &[Contents<'p>] {
        &self.files
    }

    /// The files that hold tensors: without an index.
    pub(super) fn holding(&self) -> &[Contents<'p>] {
        if self.named > 0 { &self.files[..self.named] } else { &self.files[..] }
    }

    /// The elements of a tensor, which take so many bytes, in the order of its shape.
    pub(super) fn bytes(&self, name: &str, bytes: u64) -> Result<Vec<u8>> {
        let stored = &self.tensors[name];
        let file = &self.files[stored.file];
        // A view may repeat numbers, and a small file then says that it holds any number of them.
        if bytes > file.len().max(LONG_HEADER) {
            return Err(file.error(format!(
                "tensor \"{}\" repeats its numbers: it takes {bytes} bytes, and the file has {}; save its .contiguous()",
                printable(name),
                file.len()
            )));
        }
        let mut all = zeros::<u8>(file, bytes as usize)?;
        stored.read(file, stored.dtype.bitsize().div_ceil(8), &mut all)?;
        file.check_unchanged()?;
        Ok(all)
    }

    /// Names of its tensors, sorted.
    pub(super) fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Whether this tensor of a checkpoint is not part of a state dict.
    pub(super) fn is_state(&self, name: &str) -> bool {
        self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.state.contains(name))
    }

    pub(super) fn error(&self, message: String) -> Error {
        self.files[self.named].error(message)
    }

    /// What is wrong with a tensor that the network lacks.
    pub(super) fn extra(&self, name: &str) -> String {
        format!(
            "tensor \"{}\" is extra: the network has no such parameter; load the file into the network it was saved from",
            printable(name)
        )
    }

    /// What is wrong if the file lacks the tensor `name`.
    pub(super) fn missing(&self, name: &str, entry: &Entry) -> String {
        let held = self.names();
        let held = if held.is_empty() { "no tensors".to_owned() } else { listed(&held) };
        format!("tensor \"{}\" {} is missing; the file holds {held}", printable(name), entry.shape)
    }

    /// The tensor `name`, which must have the shape of `entry`. The error says what is wrong with it.
    pub(super) fn tensor(&self, name: &str, entry: &Entry) -> Result<Tensor<'_>, String> {
        let shown = printable(name);
        let stored = self.tensors.get(name).ok_or_else(|| self.missing(name, entry))?;
        let counted = counts_batches(name) && stored.dtype == Dtype::I64;
        if floats::bytes_of(stored.dtype).is_none() && !counted {
            return Err(format!(
                "tensor \"{shown}\" is {}, expected F32, F64, F16 or BF16; save it again as float32",
                stored.dtype
            ));
        }
        if *stored.shape != entry.shape[..] {
            return Err(format!(
                "tensor \"{shown}\" has shape {}, expected {}",
                printable(&format!("{:?}", stored.shape)),
                entry.shape
            ));
        }
        Ok(Tensor { stored, elements: entry.shape.elements() })
    }

    /// The numbers of a tensor, and how many of them became infinite.
    pub(super) fn read(&self, tensor: &Tensor<'_>) -> Result<(Vec<f32>, usize)> {
        let &Tensor { stored, elements } = tensor;
        let file = &self.files[stored.file];
        if stored.dtype == Dtype::I64 {
            let mut counts = zeros::<i64>(file, elements)?;
            stored.read(file, 8, bytemuck::cast_slice_mut(&mut counts))?;
            return Ok((counts.into_iter().map(|count| count as f32).collect(), 0));
        }
        let mut numbers = zeros::<f32>(file, elements)?;
        if tensor.is_f32() {
            stored.read(file, 4, bytemuck::cast_slice_mut(&mut numbers))?;
            return Ok((numbers, 0));
        }
        let each = floats::bytes_of(stored.dtype).expect("the type was checked");
        let mut bytes = zeros::<u8>(file, elements.saturating_mul(each))?;
        stored.read(file, each, &mut bytes)?;
        let overflowed = floats::convert(stored.dtype, &bytes, &mut numbers);
        Ok((numbers, overflowed))
    }

    /// Fails if another program wrote to an open file meanwhile.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        self.files.iter().try_for_each(Contents::check_unchanged)
    }
}

fn zeros<T: bytemuck::Zeroable + Copy>(file: &Contents<'_>, elements: usize) -> Result<Vec<T>> {
    memory::filled(elements, T::zeroed(), &format!("a tensor of {}", printable_path(&file.path)))
}
