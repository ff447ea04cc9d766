//! The IDX format of the MNIST family: a magic number, big-endian sizes, then elements; plain or gzipped.
//!
//! A file is checked from end to end before any of it is used. Memory grows with the file's real contents,
//! never with the sizes in its header.

use super::files::{fault, unreadable};
use crate::error::{Error, Result};
use crate::file::{self, START, Wanted, foreign, printable_path};
use crate::memory;
use crate::tensor::HostData;
use crate::tensor::Shape;
use byteorder::{BigEndian, ByteOrder};
use flate2::read::MultiGzDecoder;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// The first two bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The most bytes of a file's contents. Data sets are held in memory as a whole.
const LARGEST: u64 = 4 << 30;
/// A larger size is more likely to have the wrong byte order.
const UNLIKELY: u32 = 1 << 24;
/// Integers for each image in QMNIST's label files; the first is the class.
const QMNIST_COLUMNS: usize = 8;

/// An element type: the third byte of the magic number, size in bytes, and name for errors.
type Element = (u8, u64, &'static str);

const UNSIGNED_BYTES: Element = (0x08, 1, "unsigned bytes");
const INTEGERS: Element = (0x0c, 4, "32-bit integers");
const ALL: [Element; 6] = [
    UNSIGNED_BYTES,
    (0x09, 1, "signed bytes"),
    (0x0b, 2, "16-bit integers"),
    INTEGERS,
    (0x0d, 4, "32-bit floats"),
    (0x0e, 8, "64-bit floats"),
];

/// What a file is expected to hold.
struct Role {
    /// Accepted element types and numbers of dimensions, the usual ones first; all if there are none.
    kinds: &'static [(Element, u8)],
    name: &'static str,
    /// A description of such files, for errors.
    like: &'static str,
}

impl Role {
    /// The element type and the number of dimensions that a magic number says, if the role accepts them.
    fn kind(&self, magic: [u8; 4]) -> Option<(Element, u8)> {
        let [0, 0, code, dimensions] = magic else { return None };
        if self.kinds.is_empty() {
            return ALL
                .into_iter()
                .find(|element| element.0 == code && dimensions > 0)
                .map(|it| (it, dimensions));
        }
        self.kinds.iter().find(|((known, ..), n)| (*known, *n) == (code, dimensions)).copied()
    }
}

const IMAGES: Role = Role {
    kinds: &[(UNSIGNED_BYTES, 3), (UNSIGNED_BYTES, 4)],
    name: "images",
    like: "images are unsigned bytes in 3 dimensions: count, rows, columns; or in 4: count, channels, rows, columns",
};
const LABELS: Role = Role {
    kinds: &[(UNSIGNED_BYTES, 1), (INTEGERS, 1), (INTEGERS, 2)],
    name: "labels",
    like: "labels are unsigned bytes or 32-bit integers in 1 dimension, or rows of 8 integers as QMNIST's",
};

const ANYTHING: Role =
    Role { kinds: &[], name: "numbers", like: "numbers are of any type and in any dimensions" };

/// The contents of a file of images.
pub(super) struct Pictures {
    /// Count, channels, rows and columns.
    pub sizes: [usize; 4],
    /// All images, one after the other.
    pub bytes: Vec<u8>,
}

/// Reads an IDX file of any element type and number of dimensions; a name that ends in `.gz` is gzipped. The first
/// dimension counts items. Unsigned bytes stay bytes, other integers become [`HostData::I32`], floats [`HostData::F32`];
/// 64-bit floats are rounded.
///
/// # Errors
/// A file that is missing, truncated, too long, damaged or of another format.
pub fn read_idx(path: impl AsRef<Path>) -> Result<(Shape, HostData)> {
    let path = path.as_ref();
    let Contents { sizes, bytes, element } = read(path, &ANYTHING)?;
    let column = match element.0 {
        0x08 => HostData::U8(bytes),
        0x09 => HostData::I32(converted(path, bytes.iter().map(|&byte| i32::from(byte.cast_signed())))?),
        0x0b => HostData::I32(converted(path, bytes.chunks_exact(2).map(|b| BigEndian::read_i16(b).into()))?),
        0x0c => HostData::I32(converted(path, bytes.chunks_exact(4).map(BigEndian::read_i32))?),
        0x0d => HostData::F32(converted(path, bytes.chunks_exact(4).map(BigEndian::read_f32))?),
        _ => HostData::F32(converted(path, bytes.chunks_exact(8).map(|b| BigEndian::read_f64(b) as f32))?),
    };
    Ok((Shape::new(sizes), column))
}

fn converted<T>(path: &Path, elements: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>> {
    let mut list = Vec::new();
    memory::reserve(&mut list, elements.len(), &format!("the contents of {}", printable_path(path)))?;
    list.extend(elements);
    Ok(list)
}

/// Reads a whole file of images and checks it.
pub(super) fn images(path: &Path) -> Result<Pictures> {
    let Contents { sizes, bytes, .. } = read(path, &IMAGES)?;
    match sizes[..] {
        [count, rows, columns] => Ok(Pictures { sizes: [count, 1, rows, columns], bytes }),
        [count, channels, rows, columns] => Ok(Pictures { sizes: [count, channels, rows, columns], bytes }),
        _ => unreachable!("every kind of images has three or four dimensions"),
    }
}

/// Reads a whole file of labels and checks it: every one is below `classes`.
pub(super) fn labels(path: &Path, classes: usize) -> Result<Vec<u8>> {
    let Contents { sizes, bytes, element } = read(path, &LABELS)?;
    let wrong = |at: usize, label: i64, advice: &str| {
        let last = classes.saturating_sub(1);
        fault(path, format!("has label {label} at position {at}, expected 0 to {last}{advice}"))
    };
    if element == UNSIGNED_BYTES {
        return match bytes.iter().position(|&label| usize::from(label) >= classes) {
            Some(at) => Err(wrong(at, bytes[at].into(), "")),
            None => Ok(bytes),
        };
    }
    let columns = sizes.get(1).copied().unwrap_or(1);
    if sizes.len() == 2 && columns != QMNIST_COLUMNS {
        return Err(fault(path, format!("has rows of {columns} integers; {}", LABELS.like)));
    }
    let rows = bytes.chunks_exact(columns * 4).enumerate();
    rows.map(|(at, row)| {
        let label = BigEndian::read_i32(row);
        let class = |label: i32| u8::try_from(label).ok().filter(|&class| usize::from(class) < classes);
        class(label).ok_or_else(|| {
            let swapped = label != 0 && class(label.swap_bytes()).is_some();
            wrong(
                at,
                label.into(),
                if swapped { "; its labels are little-endian, IDX is big-endian" } else { "" },
            )
        })
    })
    .collect()
}

/// A file as its header describes it.
struct Contents {
    sizes: Vec<usize>,
    bytes: Vec<u8>,
    element: Element,
}

fn read(path: &Path, role: &Role) -> Result<Contents> {
    let (mut file, metadata) = file::open(path).map_err(unreadable(path))?;
    let mut start = Vec::new();
    (&mut file).take(START as u64).read_to_end(&mut start).map_err(unreadable(path))?;
    if start.is_empty() {
        return Err(fault(path, "is empty; download it again"));
    }
    let zipped = start.starts_with(&GZIP_MAGIC);
    let named_gz = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    match (named_gz, zipped) {
        (true, false) => {
            let advice = foreign(&start, Wanted::Data).map_or_else(
                || "if it is unpacked already, remove .gz from its name, else download it again".to_owned(),
                |what| format!("it is {what}"),
            );
            let bytes: Vec<String> = start.iter().take(2).map(|byte| format!("{byte:02x}")).collect();
            let bytes = bytes.join(" ");
            return Err(fault(
                path,
                format!("is named .gz but is not gzip: it starts with {bytes}, expected 1f 8b; {advice}"),
            ));
        }
        (false, true) => {
            return Err(fault(path, "is gzip data under a plain name; add .gz to its name or unpack it"));
        }
        _ => {}
    }
    // Put back the bytes that were read already.
    let whole = start.as_slice().chain(file);
    if zipped {
        // Decode all members, to notice bytes after the first one.
        contents(path, role, MultiGzDecoder::new(whole), metadata.len().saturating_mul(8))
    } else {
        contents(path, role, whole, metadata.len())
    }
}

/// Reads the uncompressed file. `length` is an estimate of its size in bytes.
fn contents(path: &Path, role: &Role, mut reader: impl Read, length: u64) -> Result<Contents> {
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
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).map_err(failed)?;
    let Some((element, dimensions)) = role.kind(magic) else {
        // The rest of the file may be damaged; only its start is shown.
        let mut start = magic.to_vec();
        let _ = reader.take(START as u64 - 4).read_to_end(&mut start);
        return Err(fault(path, another_kind(&start, role)));
    };
    let mut header = vec![0; 4 * usize::from(dimensions)];
    reader.read_exact(&mut header).map_err(failed)?;
    let sizes: Vec<u32> = header.chunks_exact(4).map(BigEndian::read_u32).collect();
    let listed = |sizes: &[u32]| sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(" x ");
    let mut promise = listed(&sizes);
    if sizes.contains(&0) {
        return Err(fault(
            path,
            format!("holds nothing: its header says {promise}; every size must be at least 1"),
        ));
    }
    let swapped: Vec<u32> = sizes.iter().map(|size| size.swap_bytes()).collect();
    let advice = if sizes.iter().any(|&size| size > UNLIKELY) && swapped.iter().all(|&size| size <= UNLIKELY)
    {
        format!("its sizes seem to be little-endian, {}; IDX is big-endian, write it again", listed(&swapped))
    } else {
        "download it again".to_owned()
    };
    if element.1 > 1 {
        promise += &format!(" x {}", element.1);
    }
    let expected = sizes
        .iter()
        .try_fold(element.1, |product, &size| product.checked_mul(size.into()))
        .filter(|&bytes| bytes <= LARGEST && usize::try_from(bytes).is_ok())
        .ok_or_else(|| fault(path, format!("promises {promise} bytes, more than the {LARGEST} that are held in memory; it is damaged or too large: {advice}")))?;
    let no_memory = || fault(path, format!("holds {promise} bytes, for which there is no memory"));
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(expected.min(length) as usize).map_err(|_| no_memory())?;
    reader.take(expected + 1).read_to_end(&mut bytes).map_err(|e| match e.kind() {
        ErrorKind::OutOfMemory => no_memory(),
        _ => failed(e),
    })?;
    let found = bytes.len() as u64;
    if found < expected {
        return Err(fault(
            path,
            format!(
                "is truncated: its header promises {promise} = {expected} bytes, found {found}; {advice}"
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
    Ok(Contents { sizes: sizes.into_iter().map(|size| size as usize).collect(), bytes, element })
}

/// Describes a file whose start does not fit its role, with advice.
fn another_kind(start: &[u8], role: &Role) -> String {
    let plural = |dimensions: u8| if dimensions == 1 { "dimension" } else { "dimensions" };
    let element = |code: u8| ALL.into_iter().find(|element| element.0 == code).map(|(_, _, name)| name);
    let what = match start {
        [0x1f, 0x8b, ..] => "it was gzipped twice; unpack it once".to_owned(),
        &[0, 0, code, dimensions, ..] if element(code).is_some() && dimensions > 0 => {
            let other = if role.name == IMAGES.name { &LABELS } else { &IMAGES };
            if other.kinds.iter().any(|((other, ..), n)| (*other, *n) == (code, dimensions)) {
                format!("this is a file of {}; name the one of {}", other.name, role.name)
            } else {
                format!(
                    "it is an IDX file of {} in {dimensions} {}; {}",
                    element(code).unwrap_or_default(),
                    plural(dimensions),
                    role.like
                )
            }
        }
        &[dimensions @ 1..=4, code, 0, 0, ..] if element(code).is_some() => format!(
            "it is an IDX file of {} in {dimensions} {} with its header in little-endian order; IDX is big-endian, write it again",
            element(code).unwrap_or_default(),
            plural(dimensions)
        ),
        _ => foreign(start, Wanted::Data).map_or_else(
            || "it is not a file of this data set; download it again".to_owned(),
            |what| format!("it is {what}"),
        ),
    };
    let magic = start.iter().take(4).fold(0u32, |magic, &byte| (magic << 8) | u32::from(byte));
    let expected = match role.kinds {
        [((code, _, elements), dimensions), ..] => {
            let dimensions_of = plural(*dimensions);
            format!("0x0000{code:02x}{dimensions:02x} (IDX, {elements}, {dimensions} {dimensions_of})")
        }
        [] => "0x0000 and the numbers of an IDX type and of its dimensions".to_owned(),
    };
    format!("has magic number 0x{magic:08x}, expected {expected}; {what}")
}
