//! Finds the state dict in what a pickle makes, and the place of each of its tensors in the file.

use super::globals::bytes_of;
use super::values::{Heap, Tensor, Value, kind};
use super::{Places, SAVE_DICT};
use crate::file::printable;
use crate::weights::stored::{Listing, Stored};
use std::collections::{HashMap, HashSet};

/// Keys under which programs keep the state dict of the network in a checkpoint, the likeliest first.
const KEYS: [&str; 11] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "weights",
    "params",
    "model_ema",
    "ema",
];
/// How many of these keys may lead to a state dict, one below the other.
const DEEPEST: usize = 3;

/// The most tensors of a state dict, and axes of a tensor.
const MOST_TENSORS: usize = 1 << 18;
const MOST_AXES: usize = 16;
/// The longest name of a tensor, and the most bytes of all names.
const LONGEST_NAME: usize = 4096;
const MOST_NAMES: usize = 16 << 20;

/// The tensors of the state dict in `root`, which the bytes of `pickle` made, with numbers at `places`.
pub(super) fn list(heap: &Heap, pickle: &[u8], root: Value, places: &Places) -> Result<Listing, String> {
    let mut search = Search { heap, pickle, seen: HashSet::new(), holding: HashMap::new() };
    let (mut listing, mut names, mut listed) = (Listing::default(), 0, HashSet::new());
    for (prefix, dict) in search.state_dicts(root)? {
        let mut own = HashSet::new();
        for pair in heap.list(dict).chunks_exact(2) {
            let &[Value::Text(key), Value::Tensor(tensor)] = pair else { continue };
            let key = key.of(pickle);
            let made = &heap.tensors[tensor as usize];
            if prefix.len() + key.len() > LONGEST_NAME {
                return Err(format!(
                    "a tensor made at byte {} has a name of more than {LONGEST_NAME} bytes",
                    made.made_at
                ));
            }
            let key = std::str::from_utf8(key).map_err(|e| {
                format!("the tensor made at byte {} has a name that is no text ({e})", made.made_at)
            })?;
            let name = format!("{prefix}{key}");
            let stored = place(heap, pickle, made, places).map_err(|what| {
                format!("the tensor \"{}\", made at byte {}, {what}", printable(&name), made.made_at)
            })?;
            names += name.len();
            // In one dict the last of a key counts, as in Python.
            if listing.tensors.insert(name.clone(), stored).is_some() && !own.contains(&name) {
                return Err(format!("two of its dicts have a tensor of the name \"{}\"", printable(&name)));
            }
            own.insert(name);
            listed.insert(tensor);
            if listing.tensors.len() > MOST_TENSORS || names > MOST_NAMES {
                return Err(format!(
                    "it has more than {MOST_TENSORS} tensors or {MOST_NAMES} bytes of names"
                ));
            }
        }
    }
    listing.unlisted = heap.tensors.len() - listed.len();
    Ok(listing)
}

/// Where a tensor's numbers are. The error says what is wrong with it.
fn place(heap: &Heap, pickle: &[u8], tensor: &Tensor, places: &Places) -> Result<Stored, String> {
    let storage = &heap.storages[tensor.storage as usize];
    let key = String::from_utf8_lossy(storage.key.of(pickle));
    let shown = printable(&key);
    let place =
        places.get(&*key).ok_or_else(|| format!("lies in the storage \"{shown}\", which the file lacks"))?;
    let expected = storage.elements.checked_mul(bytes_of(storage.dtype));
    if expected != Some(place.bytes) {
        return Err(format!(
            "lies in the storage \"{shown}\", which has {} bytes, expected {} elements of {}",
            place.bytes, storage.elements, storage.dtype
        ));
    }
    let sizes = |list: u32, what: &str| {
        let list = heap.list(list);
        if list.len() > MOST_AXES {
            return Err(format!("has {} {what}, the limit is {MOST_AXES}", list.len()));
        }
        let size = |&value: &Value| match value {
            Value::Int(size) if size >= 0 => Ok(size as u64),
            other => Err(format!("has {} among its {what}, expected a whole number", kind(other))),
        };
        list.iter().map(size).collect::<Result<Vec<u64>, String>>()
    };
    let (shape, strides) = (sizes(tensor.shape, "sizes")?, sizes(tensor.strides, "strides")?);
    if shape.len() != strides.len() {
        return Err(format!("has {} sizes and {} strides", shape.len(), strides.len()));
    }
    let each = bytes_of(tensor.dtype);
    let outside = || format!("lies outside its storage \"{shown}\" of {} bytes", place.bytes);
    let first = u64::try_from(tensor.offset).ok().and_then(|offset| offset.checked_add(storage.first));
    let first = first.and_then(|first| first.checked_mul(each)).ok_or_else(outside)?;
    let elements = shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size));
    let elements = elements.filter(|&elements| usize::try_from(elements).is_ok()).ok_or_else(outside)?;
    let mut contiguous = true;
    if elements > 0 {
        let mut last = 0u64;
        let mut expected = 1;
        for (&size, &stride) in shape.iter().zip(&strides).rev() {
            contiguous &= size == 1 || stride == expected;
            expected *= size;
            let more = stride.checked_mul(size - 1);
            last = more.and_then(|more| last.checked_add(more)).ok_or_else(outside)?;
        }
        let end = last.checked_add(1).and_then(|count| count.checked_mul(each)?.checked_add(first));
        end.filter(|&end| end <= place.bytes).ok_or_else(outside)?;
    } else if first > place.bytes {
        return Err(outside());
    }
    Ok(Stored {
        dtype: tensor.dtype,
        shape: shape.iter().map(|&size| size as usize).collect(),
        strides: (!contiguous).then(|| strides.into()),
        file: 0,
        at: place.at + first,
    })
}

struct Search<'h> {
    heap: &'h Heap,
    pickle: &'h [u8],
    /// Dicts that were searched: one may hold itself.
    seen: HashSet<u32>,
    /// Whether a dict holds tensors by name.
    holding: HashMap<u32, bool>,
}

impl Search<'_> {
    /// The dicts of tensors, each with what stands in front of its names: one under a usual key; else the root; else all
    /// that the root holds, each under its key if there are several.
    fn state_dicts(&mut self, root: Value) -> Result<Vec<(String, u32)>, String> {
        let Value::Dict(root) = root else {
            return Err(format!("it holds {}, expected a dict of tensors; {SAVE_DICT}", kind(root)));
        };
        if let Some(found) = self.search(root, DEEPEST) {
            return Ok(vec![(String::new(), found)]);
        }
        let mut found = Vec::new();
        for pair in self.heap.list(root).chunks_exact(2) {
            let &[Value::Text(key), Value::Dict(dict)] = pair else { continue };
            if key.len as usize <= LONGEST_NAME && self.holds_tensors(dict) {
                found.push((format!("{}.", String::from_utf8_lossy(key.of(self.pickle))), dict));
            }
            if found.len() > KEYS.len() * KEYS.len() {
                return Err(format!(
                    "it holds more than {} dicts of tensors; {SAVE_DICT}",
                    KEYS.len() * KEYS.len()
                ));
            }
        }
        match &mut found[..] {
            [] if self.heap.list(root).is_empty() => Ok(vec![(String::new(), root)]),
            [] => Err(format!(
                "it holds no tensors by name, neither at once nor under {}; {SAVE_DICT}",
                KEYS.join(", ")
            )),
            [(prefix, _)] => {
                prefix.clear();
                Ok(found)
            }
            _ => Ok(found),
        }
    }

    /// A dict of tensors under usual keys, or `dict` itself.
    fn search(&mut self, dict: u32, depth: usize) -> Option<u32> {
        if !self.seen.insert(dict) {
            return None;
        }
        let mut under = [None; KEYS.len()];
        for pair in self.heap.list(dict).chunks_exact(2) {
            let &[Value::Text(key), value] = pair else { continue };
            let key = key.of(self.pickle);
            if let Some(number) = KEYS.iter().position(|known| known.as_bytes() == key) {
                under[number] = if let Value::Dict(dict) = value { Some(dict) } else { None };
            }
        }
        if depth > 0
            && let Some(found) = under.into_iter().flatten().find_map(|dict| self.search(dict, depth - 1))
        {
            return Some(found);
        }
        self.holds_tensors(dict).then_some(dict)
    }

    fn holds_tensors(&mut self, dict: u32) -> bool {
        let heap = self.heap;
        *self.holding.entry(dict).or_insert_with(|| {
            heap.list(dict).chunks_exact(2).any(|pair| matches!(pair, [Value::Text(_), Value::Tensor(_)]))
        })
    }
}
