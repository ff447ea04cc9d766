//! Reads a CSV file that lists pictures and their classes.

use super::folder::Files;
use super::{is_picture, numbered};
use crate::data::files::{fault, unreadable};
use crate::error::Result;
use crate::file;
use std::path::{Path, PathBuf};

/// The most bytes of a CSV file.
const LARGEST: u64 = 1 << 30;

/// All pictures with their labels, and the classes' names, if they have any.
pub(super) fn read(path: &Path) -> Result<(Files, Vec<String>)> {
    let bytes = file::read_whole(path, LARGEST).map_err(unreadable(path))?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut files, mut classes): (Vec<PathBuf>, Vec<String>) = (Vec::new(), Vec::new());
    for (number, record) in reader.records().enumerate() {
        let record = record.map_err(|error| fault(path, format!("is no CSV file in UTF-8: {error}")))?;
        let line = record.position().map_or(0, csv::Position::line);
        let (Some(picture), Some(class)) = (record.get(0), record.get(1)) else {
            return Err(fault(path, format!("has one field in line {line}, expected a path and a class")));
        };
        let (picture, class) = (picture.trim(), class.trim());
        if number == 0 && !is_picture(Path::new(picture)) {
            continue;
        }
        if picture.is_empty() || class.is_empty() {
            return Err(fault(
                path,
                format!("has an empty field in line {line}, expected a path and a class"),
            ));
        }
        files.push(folder.join(picture));
        classes.push(class.to_owned());
    }
    if files.is_empty() {
        return Err(fault(
            path,
            "lists no pictures; expected lines of a path and a class, such as cats/1.jpg,cat",
        ));
    }
    let numbers: Option<Vec<u32>> = classes.iter().map(|class| label(class)).collect();
    let (names, labels) = match numbers {
        Some(labels) => (Vec::new(), labels),
        None => numbered(&classes),
    };
    Ok((files.into_iter().zip(labels).collect(), names))
}

/// A class that is a number. A data set of more classes has names for them.
fn label(class: &str) -> Option<u32> {
    class.parse().ok().filter(|&label| label < 1 << 24)
}
