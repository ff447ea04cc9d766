//! Errors that readers of data files share. Formats are elsewhere.

use crate::error::{Error, Result};
use std::path::Path;

/// A file that has not the contents that it should have.
pub(super) fn fault(path: &Path, message: impl Into<String>) -> Error {
    Error::Data { path: path.to_owned(), message: message.into() }
}

/// A file that the system can't read.
pub(super) fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |source| Error::File { action: "reading", path: path.to_owned(), source }
}

/// Checks that there is a name for each class, if there are any.
pub(super) fn check_names(names: &[String], classes: usize) -> Result<()> {
    if names.is_empty() || names.len() == classes {
        return Ok(());
    }
    let message = format!("found {} names, expected one for each of {classes} classes", names.len());
    Err(Error::Setting { setting: "class_names", message })
}
