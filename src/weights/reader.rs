//! Reads safetensors files: first the header, then the requested tensors.
//!
//! The file is opened once, so all tensors come from one file even if another takes its place meanwhile. The
//! header has a limit and tensors must have the network's shapes, so a file can't make the reader use more
//! memory than the network needs.

use super::file::{counts_batches, listed};
use super::floats;
use super::{Checkpoint, Entry, Metadata};
use crate::error::{Error, Result};
use crate::file::{self, START, Wanted, printable, printable_path};
use crate::memory;
use safetensors::tensor::{Dtype, Metadata as Header, TensorInfo};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

/// The longest header that the format allows.
pub(super) const MOST_HEADER: u64 = 100_000_000;
/// The least limit of a header: room for notes and for tensors of other optimizers, however small the network
/// is.
const LONG_HEADER: u64 = 16 << 20;
/// The limit of a header, as a multiple of the network's own.
const OWN_HEADERS: u64 = 16;
/// Bytes in front of the header, which hold its length.
const LENGTH: u64 = 8;

/// What errors call a file's contents in host memory.
pub(crate) const IN_MEMORY: &str = "(bytes in memory)";

/// Where a file's contents are.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'p> {
    File(&'p Path),
    Bytes(&'p [u8]),
}

/// An open file, or its contents.
enum Contents<'p> {
    File { file: File, opened: std::fs::Metadata },
    Bytes(&'p [u8]),
}

impl Contents<'_> {
    fn len(&self) -> u64 {
        match self {
            Contents::File { opened, .. } => opened.len(),
            Contents::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Up to `bytes.len()` bytes from `at` on; returns how many there were.
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Contents::File { file, .. } => {
                let mut file = file;
                file.seek(SeekFrom::Start(at))?;
                fill(&mut file, bytes)
            }
            Contents::Bytes(all) => {
                let mut rest = usize::try_from(at).ok().and_then(|at| all.get(at..)).unwrap_or_default();
                fill(&mut rest, bytes)
            }
        }
    }
}

/// Reads until `bytes` are full or there are no more.
fn fill(from: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match from.read(&mut bytes[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}

/// An open file whose header was checked.
pub(super) struct Reader<'p> {
    path: &'p Path,
    file: Contents<'p>,
    header: Header,
    /// Names of the tensors, sorted.
    names: Vec<String>,
    /// Start of the tensors' contents in the file.
    contents: u64,
    /// The checkpoint's metadata, if it is one.
    pub checkpoint: Option<Checkpoint>,
    /// What the file says of the network.
    pub metadata: Metadata,
}

/// A tensor of a file that has the expected shape and type.
#[derive(Clone, Copy)]
pub(super) struct Tensor<'r> {
    info: &'r TensorInfo,
    elements: usize,
}

impl Tensor<'_> {
    /// The element type in the file.
    pub(super) fn dtype(&self) -> String {
        self.info.dtype.to_string()
    }

    pub(super) fn is_f32(&self) -> bool {
        self.info.dtype == Dtype::F32
    }
}

impl<'p> Reader<'p> {
    /// Opens a file for weights whose own header takes up to `own_header` bytes.
    pub(super) fn new(from: Origin<'p>, own_header: u64) -> Result<Reader<'p>> {
        let path = match from {
            Origin::File(path) => path,
            Origin::Bytes(_) => Path::new(IN_MEMORY),
        };
        let failed = |source| Error::File { action: "reading", path: path.to_owned(), source };
        let error = |message: String| Error::Weights { path: path.to_owned(), message };
        let damaged = |what: String| error(format!("is not a whole safetensors file: {what}"));
        let file = match from {
            Origin::File(path) => {
                let (file, opened) = file::open(path).map_err(failed)?;
                Contents::File { file, opened }
            }
            Origin::Bytes(bytes) => Contents::Bytes(bytes),
        };
        let mut start = vec![0; START];
        let read = file.read_at(0, &mut start).map_err(failed)?;
        start.truncate(read);
        let foreign = || file::foreign(&start, Wanted::Weights).map(|what| damaged(format!("it is {what}")));
        if start.is_empty() {
            return Err(damaged("it is empty; save or download it again".into()));
        }
        let Some(length) = start.first_chunk().map(|&bytes| u64::from_le_bytes(bytes)) else {
            return Err(foreign().unwrap_or_else(|| {
                damaged(format!("it is truncated to {} bytes; save or download it again", start.len()))
            }));
        };
        // The first bytes of most other files, read as a header's length, are a huge number.
        let size = file.len();
        if start.get(LENGTH as usize).is_none_or(|&byte| byte != b'{') || length > MOST_HEADER {
            let unknown =
                || damaged("no header follows its first 8 bytes, as in no file of this format".into());
            if let Some(error) = foreign() {
                return Err(error);
            } else if size > LENGTH {
                return Err(unknown());
            }
        }
        let most = own_header.saturating_mul(OWN_HEADERS).saturating_add(LONG_HEADER).min(MOST_HEADER);
        if length > most {
            return Err(error(format!(
                "has a header of {length} bytes, the limit is {most} for this network; load the file into the network it was saved from"
            )));
        }
        let contents = LENGTH + length;
        if contents > size {
            return Err(damaged(format!(
                "it is truncated: its header takes {length} bytes, the file has {size}; save or download it again"
            )));
        }
        let mut text =
            memory::filled(length as usize, 0, &format!("the header of {}", printable_path(path)))?;
        let read = file.read_at(LENGTH, &mut text).map_err(failed)?;
        text.truncate(read);
        let text = std::str::from_utf8(&text).map_err(|e| damaged(format!("its header is no text ({e})")))?;
        let header: Header = serde_json::from_str(text)
            .map_err(|e| damaged(format!("its header is damaged ({})", printable(&e.to_string()))))?;
        let needed = contents.saturating_add(header.data_len() as u64);
        if needed != size {
            let how = if size < needed { "truncated" } else { "too long" };
            return Err(damaged(format!(
                "it is {how}: its header describes {needed} bytes, the file has {size}; save or download it again"
            )));
        }
        let checkpoint = Checkpoint::of(header.metadata()).map_err(error)?;
        let metadata = Metadata::of(header.metadata()).map_err(error)?;
        let mut names = header.offset_keys();
        names.sort_unstable();
        Ok(Reader { path, file, header, names, contents, checkpoint, metadata })
    }

    /// Names of its tensors, sorted.
    pub(super) fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    /// Whether this tensor of a checkpoint is not part of a state dict.
    pub(super) fn is_state(&self, name: &str) -> bool {
        self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.state.contains(name))
    }

    pub(super) fn error(&self, message: String) -> Error {
        Error::Weights { path: self.path.to_owned(), message }
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
        let info = self.header.info(name).ok_or_else(|| self.missing(name, entry))?;
        let counted = counts_batches(name) && info.dtype == Dtype::I64;
        if floats::bytes_of(info.dtype).is_none() && !counted {
            return Err(format!(
                "tensor \"{shown}\" is {}, expected F32, F64, F16 or BF16; save it again as float32",
                info.dtype
            ));
        }
        if info.shape != entry.shape[..] {
            return Err(format!(
                "tensor \"{shown}\" has shape {}, expected {}",
                printable(&format!("{:?}", info.shape)),
                entry.shape
            ));
        }
        Ok(Tensor { info, elements: entry.shape.elements() })
    }

    /// The numbers of a tensor, and how many of them became infinite.
    pub(super) fn read(&self, tensor: &Tensor<'_>) -> Result<(Vec<f32>, usize)> {
        let &Tensor { info, elements } = tensor;
        let at = self.contents + info.data_offsets.0 as u64;
        if info.dtype == Dtype::I64 {
            let mut counts = self.zeros::<i64>(elements)?;
            self.read_exact(at, bytemuck::cast_slice_mut(&mut counts))?;
            return Ok((counts.into_iter().map(|count| count as f32).collect(), 0));
        }
        let mut numbers = self.zeros::<f32>(elements)?;
        if tensor.is_f32() {
            self.read_exact(at, bytemuck::cast_slice_mut(&mut numbers))?;
            return Ok((numbers, 0));
        }
        let each = floats::bytes_of(info.dtype).expect("the type was checked");
        let mut bytes = self.zeros::<u8>(elements.saturating_mul(each))?;
        self.read_exact(at, &mut bytes)?;
        let overflowed = floats::convert(info.dtype, &bytes, &mut numbers);
        Ok((numbers, overflowed))
    }

    fn zeros<T: bytemuck::Zeroable + Copy>(&self, elements: usize) -> Result<Vec<T>> {
        memory::filled(elements, T::zeroed(), &format!("a tensor of {}", printable_path(self.path)))
    }

    fn read_exact(&self, at: u64, bytes: &mut [u8]) -> Result<()> {
        match self.file.read_at(at, bytes) {
            Ok(read) if read == bytes.len() => Ok(()),
            Ok(_) => Err(self.changed()),
            Err(source) => Err(Error::File { action: "reading", path: self.path.to_owned(), source }),
        }
    }

    /// Fails if another program wrote to the open file meanwhile.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        let Contents::File { file, opened } = &self.file else { return Ok(()) };
        let state = |metadata: &std::fs::Metadata| (metadata.len(), metadata.modified().ok());
        match file.metadata() {
            Ok(now) if state(&now) == state(opened) => Ok(()),
            _ => Err(self.changed()),
        }
    }

    fn changed(&self) -> Error {
        self.error("was written to while it was read; load it again when its writer is done".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_that_changes_while_it_is_read_is_noticed() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("w");
        std::fs::write(&path, [2, 0, 0, 0, 0, 0, 0, 0, b'{', b'}']).expect("it can be written");
        let reader = Reader::new(Origin::File(&path), 0).expect("it is whole");
        reader.check_unchanged().expect("nobody wrote");
        // Replacing the path does not change the open file.
        std::fs::write(folder.path().join("other"), b"").expect("it can be written");
        std::fs::rename(folder.path().join("other"), &path).expect("it can be renamed");
        reader.check_unchanged().expect("nobody wrote");

        std::fs::write(&path, [2, 0, 0, 0, 0, 0, 0, 0, b'{', b'}']).expect("it can be written");
        let reader = Reader::new(Origin::File(&path), 0).expect("it is whole");
        let mut file = File::options().append(true).open(&path).expect("it is there");
        file.write_all(b"more").expect("it can be written");
        let error = reader.check_unchanged().expect_err("it has changed").to_string();
        assert!(error.contains("was written to while it was read"), "{error}");
    }
}
