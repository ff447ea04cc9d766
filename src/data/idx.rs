//! The IDX format of the MNIST family: a magic number, big-endian sizes, then bytes; plain or gzipped.
//!
//! A file is checked from end to end before any of it is used. Memory grows with what the file
//! really holds, never with what its header promises.

use crate::error::{Error, Result};
use byteorder::{BigEndian, ReadBytesExt};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The third byte of the magic number: elements are unsigned bytes.
const UNSIGNED_BYTES: u32 = 0x08;
/// The first two bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Data sets are held in memory whole; a larger one is refused.
const LARGEST: u64 = 4 << 30;

/// The contents of one file.
pub(super) struct Idx<const DIMENSIONS: usize> {
    /// As the header gives them: count, then rows and columns for images.
    pub sizes: [usize; DIMENSIONS],
    /// Their product of bytes.
    pub bytes: Vec<u8>,
}

/// The file of this name in `directory`, plain or with `.gz`.
pub(super) fn find(directory: &Path, name: &str) -> Result<PathBuf> {
    let plain = directory.join(name);
    let zipped = directory.join(format!("{name}.gz"));
    if plain.is_file() {
        Ok(plain)
    } else if zipped.is_file() {
        Ok(zipped)
    } else if directory.is_dir() {
        Err(fault(
            &zipped,
            "does not exist, nor does one without .gz; put the data set's files there or name the directory that holds them",
        ))
    } else {
        Err(fault(directory, "is not a directory; name the one that holds the data set's four files"))
    }
}

/// Reads the whole file and checks it.
pub(super) fn read<const DIMENSIONS: usize>(path: &Path) -> Result<Idx<DIMENSIONS>> {
    let file_error = |source| Error::File { action: "reading", path: path.to_owned(), source };
    let file = File::open(path).map_err(file_error)?;
    let length = file.metadata().map_err(file_error)?.len();
    if length == 0 {
        return Err(fault(path, "is empty; download it again"));
    }
    let mut file = BufReader::new(file);
    let mut start = [0; 2];
    let zipped =
        length >= 2 && file.read_exact(&mut start).map(|()| start == GZIP_MAGIC).map_err(file_error)?;
    let named_gz = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    match (named_gz, zipped) {
        (true, false) => {
            let [a, b] = start;
            return Err(fault(
                path,
                format!(
                    "is named .gz but is not gzip: it starts with {a:02x} {b:02x}, expected 1f 8b; if it is unpacked already, remove .gz from its name, else download it again"
                ),
            ));
        }
        (false, true) => {
            return Err(fault(path, "is gzip data under a plain name; add .gz to its name or unpack it"));
        }
        _ => {}
    }
    // The two bytes that were looked at come first again.
    let whole = start.as_slice().take(length.min(2)).chain(file);
    if zipped {
        // All members, so that bytes after the first one are noticed.
        contents(path, MultiGzDecoder::new(whole), length)
    } else {
        contents(path, whole, length)
    }
}

fn contents<const DIMENSIONS: usize>(
    path: &Path,
    mut reader: impl Read,
    file_length: u64,
) -> Result<Idx<DIMENSIONS>> {
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::UnexpectedEof => fault(
            path,
            "is truncated: it ends within its header or in the middle of its gzip data; download it again",
        ),
        ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            fault(path, format!("is damaged or has bytes after its end: {e}; download it again"))
        }
        _ => Error::File { action: "reading", path: path.to_owned(), source: e },
    };
    let expected_magic = (UNSIGNED_BYTES << 8) | DIMENSIONS as u32;
    let magic = reader.read_u32::<BigEndian>().map_err(failed)?;
    if magic != expected_magic {
        return Err(fault(
            path,
            format!(
                "has magic number 0x{magic:08x}, expected 0x{expected_magic:08x} (IDX, unsigned bytes, {DIMENSIONS} dimension{}){}",
                if DIMENSIONS == 1 { "" } else { "s" },
                match magic {
                    0x0801 => "; this is a file of labels",
                    0x0803 => "; this is a file of images",
                    _ => "; it is not a file of this data set",
                }
            ),
        ));
    }
    let mut sizes = [0; DIMENSIONS];
    for size in &mut sizes {
        *size = reader.read_u32::<BigEndian>().map_err(failed)? as usize;
    }
    let promise = sizes.map(|s| s.to_string()).join(" x ");
    if sizes.contains(&0) {
        return Err(fault(
            path,
            format!("holds nothing: its header says {promise}; every size must be at least 1"),
        ));
    }
    let expected = sizes
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(size as u64))
        .filter(|&bytes| bytes <= LARGEST)
        .ok_or_else(|| fault(path, format!("promises {promise} bytes, more than the {LARGEST} that are held in memory; it is damaged or too large")))?;
    let mut bytes = Vec::with_capacity(expected.min(file_length.saturating_mul(8)) as usize);
    reader.take(expected + 1).read_to_end(&mut bytes).map_err(failed)?;
    let found = bytes.len() as u64;
    if found < expected {
        return Err(fault(
            path,
            format!(
                "is truncated: its header promises {promise} = {expected} bytes, found {found}; download it again"
            ),
        ));
    }
    if found > expected {
        return Err(fault(
            path,
            format!(
                "is too long: more follows the {promise} = {expected} bytes that its header promises; download it again"
            ),
        ));
    }
    Ok(Idx { sizes, bytes })
}

pub(super) fn fault(path: &Path, message: impl Into<String>) -> Error {
    Error::Data { path: path.to_owned(), message: message.into() }
}
