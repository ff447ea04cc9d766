//! The files that a command reads, which it must not write over.

use crate::out::{Outcome, fail};
use std::path::Path;
use wgrad::file::printable_path;

/// Whether both paths lead to one file that is there.
pub(crate) fn is_same(left: &Path, right: &Path) -> bool {
    left.canonicalize().is_ok_and(|left| right.canonicalize().is_ok_and(|right| left == right))
}

/// Refuses to write over one of the files that `whole` consists of, which would damage it.
pub(crate) fn spare<'f>(to: &Path, whole: &Path, mut files: impl Iterator<Item = &'f Path>) -> Outcome<()> {
    if !files.any(|file| is_same(file, to)) {
        return Ok(());
    }
    fail(format!(
        "{} belongs to {}, which writing it would damage; name another file",
        printable_path(to),
        printable_path(whole)
    ))
}
