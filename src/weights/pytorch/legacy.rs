//! The format before PyTorch 1.6, which `_use_new_zipfile_serialization=False` still writes: five pickles (a magic number,
//! the version, what machine it was, the object, the keys of storages) and then the storages, each behind its length.

use super::globals::bytes_of;
use super::machine::Machine;
use super::values::Value;
use super::{Place, Places, tensors};
use crate::error::Result;
use crate::file::printable;
use crate::weights::contents::Contents;
use crate::weights::stored::Listing;
use std::collections::HashMap;

/// The first pickle, an integer of ten bytes.
const MAGIC: [u8; 10] = 0x1950_a86a_20f9_469c_fc6c_u128.to_le_bytes().first_chunk::<10>().copied().unwrap();
const VERSION: Value = Value::Int(1001);
/// Bytes of the number of elements in front of each storage.
const COUNT: u64 = 8;

/// Lists the tensors of a file whose pickles have at most `most` bytes.
pub(super) fn read(file: &Contents<'_>, most: u64) -> Result<Listing> {
    let damaged = |what: String| file.error(format!("is not a whole PyTorch file: {what}"));
    let bytes = file.up_to(0, most, "the pickles")?;
    let mut machine = Machine::new(&bytes);
    match machine.run() {
        Ok(Value::Long(magic)) if magic.of(&bytes) == MAGIC => {}
        _ => {
            return Err(damaged(
                "it is a Python pickle that torch.save did not write; read it in Python and write its tensors with safetensors.torch.save_file".into(),
            ));
        }
    }
    let mut pickle = || {
        let result = machine.run();
        result.map_err(|what| match machine.is_at_end() {
            true if file.len() > most => file.error(format!(
                "has pickles of more than {most} bytes, the limit for this network; {}",
                super::SAVE_DICT
            )),
            _ => file.error(format!("can't be read: {what}")),
        })
    };
    let (version, system, root, keys) = (pickle()?, pickle()?, pickle()?, pickle()?);
    if version != VERSION {
        return Err(damaged("the version of its format is not 1001, the only one that there is".into()));
    }
    let heap = &machine.heap;
    if let Value::Dict(system) = system {
        let order = heap.list(system).chunks_exact(2).find(|pair| match pair[0] {
            Value::Text(key) => key.of(&bytes) == b"little_endian",
            _ => false,
        });
        if order.is_some_and(|order| order[1] != Value::Bool(true)) {
            return Err(file.error(
                "holds numbers in big-endian byte order; save it again on a little-endian machine".into(),
            ));
        }
    }
    let Value::List(keys) = keys else {
        return Err(damaged("no list of storages follows its pickle".into()));
    };
    let types: HashMap<&[u8], u64> =
        heap.storages.iter().map(|storage| (storage.key.of(&bytes), bytes_of(storage.dtype))).collect();
    let mut places = Places::new();
    let mut at = machine.at() as u64;
    for &key in heap.list(keys) {
        let Value::Text(key) = key else {
            return Err(damaged("its list of storages holds something other than keys".into()));
        };
        let key = key.of(&bytes);
        let shown = printable(&String::from_utf8_lossy(key));
        let Some(&each) = types.get(key) else {
            return Err(damaged(format!("no tensor says which type the storage \"{shown}\" has")));
        };
        let whole = |end: Option<u64>| {
            end.filter(|&end| end <= file.len()).ok_or_else(|| {
                damaged(format!(
                    "it is truncated within the storage \"{shown}\", at byte {at}; save or download it again"
                ))
            })
        };
        let start = whole(at.checked_add(COUNT))?;
        let mut count = [0; COUNT as usize];
        file.read_exact(at, &mut count)?;
        let size = u64::from_le_bytes(count).checked_mul(each);
        let end = whole(size.and_then(|size| start.checked_add(size)))?;
        let key = String::from_utf8_lossy(key).into_owned();
        if places.insert(key, Place { at: start, bytes: end - start }).is_some() {
            return Err(damaged(format!("the storage \"{shown}\" is there twice")));
        }
        at = end;
    }
    if at != file.len() {
        return Err(damaged(format!(
            "it is too long: its storages end at byte {at}, the file has {}; save or download it again",
            file.len()
        )));
    }
    tensors::list(heap, &bytes, root, &places).map_err(|what| file.error(format!("can't be read: {what}")))
}
