//! Lists pictures in folders, one folder a class.

use super::is_picture;
use crate::data::files::{fault, unreadable};
use crate::error::Result;
use std::path::{Path, PathBuf};

/// The deepest folders within a class. Symbolic links may lead in a circle.
const DEEPEST: usize = 16;

/// Pictures with their labels.
pub(super) type Files = Vec<(PathBuf, u32)>;

/// All pictures with their labels, and the classes' names.
pub(super) fn list(folder: &Path) -> Result<(Files, Vec<String>)> {
    let classes: Vec<PathBuf> = entries(folder)?.into_iter().filter(|path| path.is_dir()).collect();
    if classes.is_empty() {
        return Err(fault(folder, "has no folders, expected one with pictures for each class"));
    }
    let (mut files, mut names) = (Vec::new(), Vec::new());
    for (label, class) in (0..).zip(&classes) {
        let before = files.len();
        pictures(class, label, 0, &mut files)?;
        if files.len() == before {
            return Err(fault(
                class,
                "has no pictures (.png, .jpg, .jpeg, .webp); add some or remove the folder",
            ));
        }
        let name = class.file_name().unwrap_or_default();
        let Some(name) = name.to_str() else {
            return Err(fault(class, "has a name that is not in Unicode, and a class needs one"));
        };
        names.push(name.to_owned());
    }
    Ok((files, names))
}

/// Adds the pictures in `folder` and below, sorted.
fn pictures(folder: &Path, label: u32, depth: usize, files: &mut Files) -> Result<()> {
    if depth > DEEPEST {
        return Err(fault(
            folder,
            format!("is more than {DEEPEST} folders deep; its links may lead in a circle"),
        ));
    }
    for path in entries(folder)? {
        if path.is_dir() {
            pictures(&path, label, depth + 1, files)?;
        } else if is_picture(&path) {
            files.push((path, label));
        }
    }
    Ok(())
}

/// What is in a folder and not hidden, sorted by the bytes of the names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let entry = entry.map_err(unreadable(folder))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    found.sort_unstable_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    Ok(found)
}
