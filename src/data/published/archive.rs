//! Files of a data set, from a folder or from a `.tar.gz` archive of one.

use crate::data::files::{fault, unreadable};
use crate::error::Result;
use crate::file;
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The most bytes of one file.
const LARGEST: u64 = 1 << 30;
/// The size of a tar archive's headers, and what contents are filled up to.
const BLOCK: usize = 512;

/// Wanted files of a data set, in memory.
pub(super) struct Source {
    place: PathBuf,
    contents: BTreeMap<String, Vec<u8>>,
}

impl Source {
    /// Reads the `files` that are there, and the text file `names`: from `path` if it is an archive, else from the
    /// folder `path`, or from `folder` in it.
    pub(super) fn open(path: &Path, folder: &str, files: &[&str], names: &str) -> Result<Source> {
        let wanted: Vec<&str> = files.iter().copied().chain([names]).collect();
        let metadata = std::fs::metadata(path).map_err(unreadable(path))?;
        if !metadata.is_dir() {
            let (file, _) = file::open(path).map_err(unreadable(path))?;
            let contents = unpacked(path, file, &wanted)?;
            return Ok(Source { place: path.to_owned(), contents });
        }
        let has = |place: &Path| files.iter().any(|name| place.join(name).exists());
        let inner = path.join(folder);
        let place = if !has(path) && has(&inner) { inner } else { path.to_owned() };
        let mut contents = BTreeMap::new();
        for name in wanted {
            let path = place.join(name);
            match file::read_whole(&path, LARGEST) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                read => {
                    contents.insert(name.to_owned(), read.map_err(unreadable(&path))?);
                }
            }
        }
        Ok(Source { place, contents })
    }

    pub(super) fn contents(&self, name: &str) -> Option<&[u8]> {
        self.contents.get(name).map(Vec::as_slice)
    }

    /// Where a file is or should be, for errors.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }
}

/// The wanted files of a gzipped tar archive, by their names without folders.
fn unpacked(path: &Path, file: File, wanted: &[&str]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut reader = MultiGzDecoder::new(io::BufReader::new(file));
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::UnexpectedEof => fault(path, "is truncated; download it again"),
        ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            fault(path, format!("is no gzipped tar archive, or a damaged one: {error}"))
        }
        _ => unreadable(path)(error),
    };
    let mut found = BTreeMap::new();
    loop {
        let mut header = [0; BLOCK];
        reader.read_exact(&mut header).map_err(failed)?;
        if header == [0; BLOCK] {
            return Ok(found);
        }
        let Some(size) = checked_size(&header) else {
            return Err(fault(path, "is gzipped, but no tar archive, or a damaged one; download it again"));
        };
        let padded = size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
        let name = header[..100].split(|&byte| byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name.rsplit(|&byte| byte == b'/').next().unwrap_or_default());
        let mut contents = (&mut reader).take(padded);
        // Links and folders have other types.
        if matches!(header[156], b'0' | 0) && wanted.contains(&&*name) {
            if size > LARGEST {
                return Err(fault(path, format!("promises {size} bytes for {name}; it is damaged")));
            }
            let mut bytes = Vec::new();
            contents.read_to_end(&mut bytes).map_err(failed)?;
            if (bytes.len() as u64) < size {
                return Err(fault(path, format!("is truncated in {name}; download it again")));
            }
            bytes.truncate(size as usize);
            found.insert(name.into_owned(), bytes);
        } else {
            io::copy(&mut contents, &mut io::sink()).map_err(failed)?;
        }
    }
}

/// The size that a header says, if its checksum is right.
fn checked_size(header: &[u8; BLOCK]) -> Option<u64> {
    let octal = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?;
        u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
    };
    // The checksum counts its own place as spaces.
    let sum =
        header.iter().enumerate().map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { byte.into() });
    let found: u64 = sum.sum();
    if octal(&header[148..156])? == found { octal(&header[124..136]) } else { None }
}
