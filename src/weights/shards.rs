//! Files that share a network's tensors, and the index that says which tensor is where, as Hugging Face's libraries
//! write them (`model.safetensors.index.json`).

use super::contents::Contents;
use super::reader::list;
use super::stored::Listing;
use crate::error::Result;
use crate::file::{printable, printable_path};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// The most files that one index may name: each stays open while it is read.
const MOST_SHARDS: usize = 512;

/// Whether this is the start of JSON text.
pub(super) fn begins(start: &[u8]) -> bool {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    text.starts_with(b"{") || text.starts_with(b"[")
}

/// Opens the files of an index of at most `most` bytes, and lists the tensors of all of them.
pub(super) fn read(index: &Contents<'_>, most: u64) -> Result<(Listing, Vec<Contents<'static>>)> {
    let error = |message: String| index.error(message);
    if index.len() > most {
        return Err(error(format!(
            "is an index of {} bytes, the limit is {most} for this network; load the index of the network's own files",
            index.len()
        )));
    }
    let text = index.up_to(0, most, "the index")?;
    let placed = placed(&text).map_err(|what| {
        error(format!(
            "is no whole index of several files: it is JSON text, and {what}; name a .safetensors file, or the .safetensors.index.json beside them"
        ))
    })?;
    if !index.is_file() {
        return Err(error(
            "is an index of several files, and bytes in memory have no files beside them; load the index by its path"
                .into(),
        ));
    }
    let mut names: Vec<&str> = placed.values().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > MOST_SHARDS {
        return Err(error(format!("names {} files, the limit is {MOST_SHARDS}", names.len())));
    }
    let folder = index.path.parent().unwrap_or(Path::new(""));
    let (mut all, mut files) = (Listing::default(), Vec::with_capacity(names.len()));
    for (number, &name) in names.iter().enumerate() {
        let path = folder.join(name);
        if matches!(path.try_exists(), Ok(false)) {
            return Err(error(format!(
                "places tensors in \"{}\", and no such file is beside it; download it too",
                printable(name)
            )));
        }
        let file = Contents::open_file(path)?;
        let listing = list(&file, &file.start()?, most)?;
        for (tensor, mut stored) in listing.tensors {
            let shown = printable(&tensor);
            match placed.get(&tensor) {
                Some(place) if place == name => {}
                Some(place) => {
                    return Err(file.error(format!(
                        "holds the tensor \"{shown}\", which the index {} places in \"{}\"; download index and files again",
                        printable_path(&index.path),
                        printable(place)
                    )));
                }
                None => {
                    return Err(file.error(format!(
                        "holds the tensor \"{shown}\", which the index {} does not name; download index and files again",
                        printable_path(&index.path)
                    )));
                }
            }
            stored.file = number;
            all.tensors.insert(tensor, stored);
        }
        if number == 0 {
            all.metadata = listing.metadata;
        }
        files.push(file);
    }
    if let Some((tensor, name)) = placed.iter().find(|(tensor, _)| !all.tensors.contains_key(*tensor)) {
        return Err(error(format!(
            "places the tensor \"{}\" in \"{}\", which does not hold it; download index and files again",
            printable(tensor),
            printable(name)
        )));
    }
    Ok((all, files))
}

/// The file of each tensor. The error says what is wrong with the index.
fn placed(text: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let damaged = |e: &dyn std::fmt::Display| format!("it is damaged ({})", printable(&e.to_string()));
    let text =
        std::str::from_utf8(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)).map_err(|e| damaged(&e))?;
    let fields: Map<String, Value> = serde_json::from_str(text).map_err(|e| damaged(&e))?;
    let Some(Value::Object(places)) = fields.get("weight_map") else {
        return Err("it has no \"weight_map\" from tensors to files".into());
    };
    if places.is_empty() {
        return Err("its \"weight_map\" is empty".into());
    }
    let placed = |(tensor, file): (&String, &Value)| match file.as_str() {
        Some(name) if is_beside(name) => Ok((tensor.clone(), name.to_owned())),
        _ => Err(format!(
            "its \"weight_map\" places the tensor \"{}\" in {}, expected the name of a file in the same folder",
            printable(tensor),
            printable(&file.to_string())
        )),
    };
    places.iter().map(placed).collect()
}

/// Whether this names a file in the same folder, on every system.
fn is_beside(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', ':', '\0'])
}
