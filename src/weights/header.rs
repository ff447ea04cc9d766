//! The header of a safetensors file. It has a limit and is checked as a whole.

use super::contents::Contents;
use super::stored::{Listing, Stored};
use super::{Checkpoint, Metadata, StoredType};
use crate::error::Result;
use crate::file::{Wanted, foreign, printable};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The longest header that the format allows.
pub(super) const MOST_HEADER: u64 = 100_000_000;
/// Bytes in front of the header, which hold its length.
const LENGTH: u64 = 8;
/// The field of a header that is no tensor.
const METADATA: &str = "__metadata__";

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
    let wrong = |what: &str| damaged(format!("its header is damaged ({})", printable(what)));
    let fields: Map<String, Value> = serde_json::from_str(text).map_err(|e| wrong(&e.to_string()))?;
    let texts = fields.get(METADATA).map_or(Some(None), texts);
    let mut texts = texts.ok_or_else(|| wrong("expected texts in its metadata"))?;
    texts.iter_mut().for_each(|texts| texts.retain(|name, text| !Metadata::is_usual_layout(name, text)));
    let tensors = in_order(fields).map_err(|what| wrong(&what))?;
    let needed = contents.saturating_add(tensors.last().map_or(0, |(_, tensor)| tensor.end));
    if needed != size {
        let how = if size < needed { "truncated" } else { "too long" };
        return Err(damaged(format!(
            "it is {how}: its header describes {needed} bytes, the file has {size}; save or download it again"
        )));
    }
    let error = |message| file.error(message);
    let checkpoint = Checkpoint::of(&texts).map_err(error)?;
    let metadata = Metadata::of(&texts).map_err(error)?;
    let stored = |(name, Described { ty, shape, begin, .. })| {
        (name, Stored { dtype: StoredType::dtype(ty), shape, strides: None, file: 0, at: contents + begin })
    };
    let tensors = tensors.into_iter().map(stored).collect();
    Ok(Listing { tensors, checkpoint, metadata, ..Listing::default() })
}

/// A tensor as the header describes it.
struct Described {
    ty: StoredType,
    shape: Box<[usize]>,
    /// Its bytes behind the header.
    begin: u64,
    end: u64,
}

/// The texts of a header's metadata.
fn texts(value: &Value) -> Option<Option<HashMap<String, String>>> {
    if value.is_null() {
        return Some(None);
    }
    let text = |(name, text): (&String, &Value)| Some((name.clone(), text.as_str()?.to_owned()));
    value.as_object()?.iter().map(text).collect::<Option<_>>().map(Some)
}

/// The tensors of a header in the order of their bytes, which follow each other. The error says what is wrong.
fn in_order(fields: Map<String, Value>) -> Result<Vec<(String, Described)>, String> {
    let fields = fields.into_iter().filter(|(name, _)| name != METADATA);
    let described = |(name, value)| match described(&value) {
        Some(tensor) => Ok((name, tensor)),
        None => Err(format!("no type, shape and offsets of the tensor `{name}`")),
    };
    let mut tensors = fields.map(described).collect::<Result<Vec<_>, String>>()?;
    tensors.sort_by_key(|(_, tensor)| (tensor.begin, tensor.end));
    let mut at = 0;
    for (name, tensor) in &tensors {
        if tensor.begin != at || tensor.end < at {
            return Err(format!("invalid offset for tensor `{name}`"));
        }
        let elements = tensor.shape.iter().try_fold(1u64, |all, &size| all.checked_mul(size as u64));
        let bits = elements.and_then(|elements| elements.checked_mul(tensor.ty.bits() as u64));
        if bits.is_none_or(|bits| bits % 8 != 0 || bits / 8 != tensor.end - at) {
            return Err(format!("invalid shape, type or offset for tensor `{name}`"));
        }
        at = tensor.end;
    }
    Ok(tensors)
}

fn described(value: &Value) -> Option<Described> {
    let ty = StoredType::named(value.get("dtype")?.as_str()?)?;
    let size = |size: &Value| size.as_u64().and_then(|size| usize::try_from(size).ok());
    let shape = value.get("shape")?.as_array()?.iter().map(size).collect::<Option<_>>()?;
    let [begin, end] = &value.get("data_offsets")?.as_array()?[..] else { return None };
    Some(Described { ty, shape, begin: begin.as_u64()?, end: end.as_u64()? })
}
