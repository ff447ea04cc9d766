//! The header of a safetensors file. It has a limit and is checked as a whole.

use super::contents::Contents;
use super::stored::{Listing, Stored};
use super::{Checkpoint, Metadata};
use crate::error::Result;
use crate::file::{Wanted, foreign, printable};
use safetensors::tensor::Metadata as Header;

/// The longest header that the format allows.
pub(super) const MOST_HEADER: u64 = 100_000_000;
/// Bytes in front of the header, which hold its length.
const LENGTH: u64 = 8;

/// The length of the header, if a file that starts so has one.
fn length(start: &[u8]) -> Option<u64> {
    start.first_chunk().map(|&bytes| u64::from_le_bytes(bytes))
}

/// Whether this is the start of a safetensors file. The first bytes of most other files, read as a header's length, are a
/// huge number.
pub(super) fn begins(start: &[u8]) -> bool {
    start.get(LENGTH as usize) == Some(&b'{') && length(start).is_some_and(|length| length <= MOST_HEADER)
}

/// Reads the header of a file, if it takes at most `most` bytes.
pub(super) fn read(file: &Contents<'_>, start: &[u8], most: u64) -> Result<Listing> {
    let damaged = |what: String| file.error(format!("is not a whole safetensors file: {what}"));
    if start.is_empty() {
        return Err(damaged("it is empty; save or download it again".into()));
    }
    let foreign = || foreign(start, Wanted::Weights).map(|what| damaged(format!("it is {what}")));
    let Some(length) = length(start) else {
        return Err(foreign().unwrap_or_else(|| {
            damaged(format!("it is truncated to {} bytes; save or download it again", start.len()))
        }));
    };
    let size = file.len();
    if !begins(start) {
        if let Some(error) = foreign() {
            return Err(error);
        } else if size > LENGTH {
            return Err(damaged("no header follows its first 8 bytes, as in no file of this format".into()));
        }
    }
    if length > most {
        return Err(file.error(format!(
            "has a header of {length} bytes, the limit is {most} for this network; load the file into the network it was saved from"
        )));
    }
    let contents = LENGTH + length;
    if contents > size {
        return Err(damaged(format!(
            "it is truncated: its header takes {length} bytes, the file has {size}; save or download it again"
        )));
    }
    let text = file.up_to(LENGTH, length, "the header")?;
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
    let error = |message| file.error(message);
    let checkpoint = Checkpoint::of(header.metadata()).map_err(error)?;
    let metadata = Metadata::of(header.metadata()).map_err(error)?;
    let mut listing = Listing { checkpoint, metadata, ..Listing::default() };
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else { continue };
        let stored = Stored {
            dtype: info.dtype,
            shape: info.shape.as_slice().into(),
            strides: None,
            file: 0,
            at: contents + info.data_offsets.0 as u64,
        };
        listing.tensors.insert(name, stored);
    }
    Ok(listing)
}
