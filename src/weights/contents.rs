//! An open file of weights, or its contents in host memory: read by place, and checked for other writers.

use crate::error::{Error, Result};
use crate::file::{self, START, printable_path};
use crate::memory;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What errors call a file's contents in host memory.
pub(crate) const IN_MEMORY: &str = "(bytes in memory)";

/// Where a file's contents are.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'p> {
    File(&'p Path),
    Bytes(&'p [u8]),
}

/// A file's contents, and the path that errors name.
pub(super) struct Contents<'p> {
    pub path: PathBuf,
    bytes: Bytes<'p>,
}

enum Bytes<'p> {
    File { file: File, opened: std::fs::Metadata },
    Memory(&'p [u8]),
}

impl<'p> Contents<'p> {
    /// Opens the file once, so that all is read from it even if another takes its place meanwhile.
    pub(super) fn open(from: Origin<'p>) -> Result<Self> {
        match from {
            Origin::File(path) => Contents::open_file(path.to_owned()),
            Origin::Bytes(bytes) => Ok(Contents { path: IN_MEMORY.into(), bytes: Bytes::Memory(bytes) }),
        }
    }

    pub(super) fn open_file(path: PathBuf) -> Result<Self> {
        let (file, opened) = file::open(&path).map_err(|source| reading(&path, source))?;
        Ok(Contents { path, bytes: Bytes::File { file, opened } })
    }

    pub(super) fn len(&self) -> u64 {
        match &self.bytes {
            Bytes::File { opened, .. } => opened.len(),
            Bytes::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Whether the contents are a file on a disk, which may have others beside it.
    pub(super) fn is_file(&self) -> bool {
        // In a browser there are none: the compiler can leave out what reads them.
        cfg!(not(target_arch = "wasm32")) && matches!(self.bytes, Bytes::File { .. })
    }

    /// The first bytes, by which formats are recognised.
    pub(super) fn start(&self) -> Result<Vec<u8>> {
        self.up_to(0, START as u64, "the start")
    }

    /// The bytes from `at` on, at most `most` of them and no more than there are. `what` names them in errors.
    pub(super) fn up_to(&self, at: u64, most: u64, what: &str) -> Result<Vec<u8>> {
        let length = self.len().saturating_sub(at).min(most) as usize;
        let mut bytes = memory::filled(length, 0, &format!("{what} of {}", printable_path(&self.path)))?;
        let read = self.read_at(at, &mut bytes).map_err(|source| reading(&self.path, source))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Fills `bytes` from `at` on.
    pub(super) fn read_exact(&self, at: u64, bytes: &mut [u8]) -> Result<()> {
        match self.read_at(at, bytes) {
            Ok(read) if read == bytes.len() => Ok(()),
            Ok(_) => Err(self.changed()),
            Err(source) => Err(reading(&self.path, source)),
        }
    }

    /// Up to `bytes.len()` bytes from `at` on; returns how many there were.
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> std::io::Result<usize> {
        match &self.bytes {
            Bytes::File { file, .. } => {
                let mut file = file;
                file.seek(SeekFrom::Start(at))?;
                fill(&mut file, bytes)
            }
            Bytes::Memory(all) => {
                let mut rest = usize::try_from(at).ok().and_then(|at| all.get(at..)).unwrap_or_default();
                fill(&mut rest, bytes)
            }
        }
    }

    pub(super) fn error(&self, message: String) -> Error {
        Error::Weights { path: self.path.clone(), message }
    }

    /// Fails if another program wrote to the open file meanwhile.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        let Bytes::File { file, opened } = &self.bytes else { return Ok(()) };
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

#[cfg(feature = "pytorch")]
impl rawzip::ReaderAt for &Contents<'_> {
    fn read_at(&self, bytes: &mut [u8], at: u64) -> std::io::Result<usize> {
        Contents::read_at(self, at, bytes)
    }
}

fn reading(path: &Path, source: std::io::Error) -> Error {
    Error::File { action: "reading", path: path.to_owned(), source }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_that_changes_while_it_is_read_is_noticed() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("w");
        std::fs::write(&path, b"tensors").expect("it can be written");
        let contents = Contents::open(Origin::File(&path)).expect("it is there");
        contents.check_unchanged().expect("nobody wrote");
        // Replacing the path does not change the open file.
        std::fs::write(folder.path().join("other"), b"").expect("it can be written");
        std::fs::rename(folder.path().join("other"), &path).expect("it can be renamed");
        contents.check_unchanged().expect("nobody wrote");

        std::fs::write(&path, b"tensors").expect("it can be written");
        let contents = Contents::open(Origin::File(&path)).expect("it is there");
        let mut file = File::options().append(true).open(&path).expect("it is there");
        file.write_all(b"more").expect("it can be written");
        let error = contents.check_unchanged().expect_err("it has changed").to_string();
        assert!(error.contains("was written to while it was read"), "{error}");
    }
}
