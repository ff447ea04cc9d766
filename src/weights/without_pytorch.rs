//! The files of `torch.save` where the feature `pytorch` is off: they are recognised and refused.

use super::contents::Contents;
use super::stored::Listing;
use crate::error::Result;

/// Whether this is the start of a zip archive or of a pickle.
pub(super) fn begins(start: &[u8]) -> bool {
    matches!(start, [b'P', b'K', 3 | 5 | 7, ..] | [0x80, 2..=5, _, ..])
}

pub(super) fn read(file: &Contents<'_>, _start: &[u8], _most: u64) -> Result<Listing> {
    Err(file.error(
        "is what torch.save writes, and this program was built without wgrad's feature `pytorch`; write its tensors with safetensors.torch.save_file".into(),
    ))
}
