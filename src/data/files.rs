//! What readers of data files share: finding a file in a folder, and errors that name it. Formats are elsewhere.

use crate::error::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file in `directory` that has one of these names, plain or with `.gz`.
pub(super) fn find(directory: &Path, names: &[&str]) -> Result<PathBuf> {
    let paths = names.iter().flat_map(|name| [directory.join(name), directory.join(format!("{name}.gz"))]);
    let mut folder = None;
    for path in paths {
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => folder = folder.or(Some(path)),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            // Opening it reports any other problem.
            _ => return Ok(path),
        }
    }
    if let Some(folder) = folder {
        Err(fault(&folder, "is a directory, expected a file; move the file in it up beside the others"))
    } else if directory.is_dir() {
        Err(fault(
            &directory.join(format!("{}.gz", names[0])),
            "does not exist, nor does one without .gz; put the data set's files there or name the directory that holds them",
        ))
    } else {
        Err(fault(directory, "is not a directory; name the one that holds the data set's four files"))
    }
}

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
