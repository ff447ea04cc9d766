//! The files that a command reads, which it must not write over.

use crate::out::{Outcome, fail};
use std::path::Path;
use wgrad::file::printable_path;

/// Refuses to write over one of the files that `whole` consists of: what was converted or measured would be lost.
pub(crate) fn spare<'f>(to: &Path, whole: &str, mut files: impl Iterator<Item = &'f Path>) -> Outcome<()> {
    // What is not there yet is none of them.
    let Ok(target) = to.canonicalize() else { return Ok(()) };
    if !files.any(|file| file.canonicalize().is_ok_and(|file| file == target)) {
        return Ok(());
    }
    fail(format!("{} is a file that {whole} is read from; name another file", printable_path(to)))
}
