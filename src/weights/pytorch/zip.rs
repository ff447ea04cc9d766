//! The format since PyTorch 1.6: a zip archive of one folder, with the pickle `data.pkl`, a file for each storage in
//! `data/`, and the order of bytes in `byteorder`.

use super::machine::Machine;
use super::{Place, Places, tensors};
use crate::error::Result;
use crate::file::printable;
use crate::weights::contents::Contents;
use crate::weights::stored::Listing;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchiveEntryWayfinder, ZipLocator};

/// A file of the archive.
struct Entry {
    /// Its name below the folder.
    name: String,
    folder: String,
    stored: bool,
    way: ZipArchiveEntryWayfinder,
}

/// Lists the tensors of an archive whose pickle has at most `most` bytes.
pub(super) fn read(file: &Contents<'_>, most: u64) -> Result<Listing> {
    let damaged = |what: String| file.error(format!("is not a whole PyTorch file: {what}"));
    let broken = |e: rawzip::Error| {
        damaged(format!(
            "the zip archive is damaged or truncated ({}); save or download it again",
            printable(&e.to_string())
        ))
    };
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive =
        ZipLocator::new().locate_in_reader(file, &mut buffer, file.len()).map_err(|(_, e)| broken(e))?;
    let (mut entries, mut scripted) = (Vec::new(), false);
    let mut records = archive.entries(&mut buffer);
    while let Some(record) = records.next_entry().map_err(broken)? {
        let path = record.file_path();
        let Some((folder, name)) =
            std::str::from_utf8(path.as_ref()).ok().and_then(|path| path.split_once('/'))
        else {
            continue;
        };
        scripted |= name == "constants.pkl";
        if name == "data.pkl" || name == "byteorder" || name.starts_with("data/") {
            entries.push(Entry {
                name: name.to_owned(),
                folder: folder.to_owned(),
                stored: record.compression_method() == CompressionMethod::STORE
                    && !record.flags().is_encrypted(),
                way: record.wayfinder(),
            });
        }
    }
    if scripted {
        return Err(file.error(format!("is a TorchScript archive, which holds code; {}", super::SAVE_DICT)));
    }
    let Some(folder) =
        entries.iter().find(|entry| entry.name == "data.pkl").map(|entry| entry.folder.clone())
    else {
        return Err(damaged(
            "it is a zip archive without data.pkl, as numpy.savez writes; read it in Python and write its tensors with safetensors.torch.save_file".into(),
        ));
    };
    let (mut pickle, mut order, mut places) = (None, None, Places::new());
    for entry in entries.iter().filter(|entry| entry.folder == folder) {
        let shown = printable(&format!("{folder}/{}", entry.name));
        if !entry.stored {
            return Err(damaged(format!(
                "{shown} is compressed or encrypted, which torch.save does not do; load it in PyTorch and save it again"
            )));
        }
        let (at, end) = archive.get_entry(entry.way).map_err(broken)?.compressed_data_range();
        if at > end || end > file.len() || end - at != entry.way.uncompressed_size_hint() {
            return Err(damaged(format!("{shown} lies outside the file; save or download it again")));
        }
        let place = Place { at, bytes: end - at };
        let twice = match entry.name.strip_prefix("data/") {
            Some(key) => places.insert(key.to_owned(), place).is_some(),
            None if entry.name == "byteorder" => order.replace(place).is_some(),
            None => pickle.replace(place).is_some(),
        };
        if twice {
            return Err(damaged(format!("{shown} is there twice")));
        }
    }
    if let Some(order) = order {
        let order = file.up_to(order.at, order.bytes.min(16), "the byte order")?;
        if order != b"little" {
            return Err(file.error(format!(
                "holds numbers in the byte order \"{}\", expected little; save it again on a little-endian machine",
                printable(&String::from_utf8_lossy(&order))
            )));
        }
    }
    let pickle = pickle.expect("it was found above");
    if pickle.bytes > most {
        return Err(file.error(format!(
            "has a pickle of {} bytes, the limit is {most} for this network; {}",
            pickle.bytes,
            super::SAVE_DICT
        )));
    }
    let bytes = file.up_to(pickle.at, pickle.bytes, "the pickle")?;
    let within = |what: String| {
        file.error(format!("can't be read: {what} (in {})", printable(&format!("{folder}/data.pkl"))))
    };
    let mut machine = Machine::new(&bytes);
    let root = machine.run().map_err(within)?;
    tensors::list(&machine.heap, &bytes, root, &places).map_err(within)
}
