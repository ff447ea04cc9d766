//! The files of `torch.save`, read without running any code of theirs.
//!
//! `zip.rs` finds pickle and storages in an archive, `legacy.rs` in a file of the format before PyTorch 1.6. `machine.rs`
//! reads a pickle (`input.rs`, `opcodes.rs`, `values.rs`); of Python's objects it knows those of `globals.rs`, which make
//! what `calls.rs` says, and refuses all others by name. `tensors.rs` finds the state dict and the places of its tensors.

mod calls;
mod globals;
mod input;
mod legacy;
mod machine;
mod opcodes;
mod tensors;
mod values;
mod zip;

use super::contents::Contents;
use super::stored::Listing;
use crate::error::Result;

/// Storages of a file, by key.
type Places = std::collections::HashMap<String, Place>;

/// Where a storage is in a file.
#[derive(Clone, Copy)]
struct Place {
    /// First byte.
    at: u64,
    bytes: u64,
}

/// Whether this is the start of a zip archive or of a pickle.
pub(super) fn begins(start: &[u8]) -> bool {
    is_zip(start) || matches!(start, [opcodes::PROTO, 2..=5, _, ..])
}

fn is_zip(start: &[u8]) -> bool {
    [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"].iter().any(|mark| start.starts_with(*mark))
}

/// Lists the tensors of a file whose pickle has at most `most` bytes.
pub(super) fn read(file: &Contents<'_>, start: &[u8], most: u64) -> Result<Listing> {
    if is_zip(start) { zip::read(file, most) } else { legacy::read(file, most) }
}

/// What to do about a file that holds more than tensors.
const SAVE_DICT: &str = "save the state dict alone: torch.save(model.state_dict(), PATH)";
