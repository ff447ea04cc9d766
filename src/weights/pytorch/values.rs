//! What a pickle makes. Values are small and refer to each other by number: no value owns another, so neither depth nor
//! cycles matter, and a total bounds their memory.

use super::globals::Global;
use safetensors::tensor::Dtype;

/// The most places in tuples, lists and dicts together; each of these, a storage and a tensor count for several.
const MOST_HELD: usize = 2 << 20;
/// What one tuple, list, dict, storage or tensor counts for.
const OBJECT: usize = 4;

/// Bytes of the pickle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub at: u32,
    pub len: u32,
}

impl Span {
    pub(super) fn of(self, pickle: &[u8]) -> &[u8] {
        &pickle[self.at as usize..][..self.len as usize]
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits: its bytes.
    Long(Span),
    Text(Span),
    Tuple(u32),
    List(u32),
    /// Keys and values in turns.
    Dict(u32),
    Global(Global),
    Storage(u32),
    Tensor(u32),
    /// A float, bytes, or an object that no state dict needs.
    Ignored,
}

/// A persistent id: storages are not in the pickle but named by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage {
    pub dtype: Dtype,
    pub key: Span,
    pub elements: u64,
    /// First element of the part of it that is meant, in files of old versions.
    pub first: u64,
}

/// A tensor as the arguments of its function say, not checked yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tensor {
    pub storage: u32,
    pub dtype: Dtype,
    pub offset: i64,
    /// Tuples.
    pub shape: u32,
    pub strides: u32,
    /// Where in the pickle it is made.
    pub made_at: usize,
}

/// All that the pickles of a file make.
#[derive(Default)]
pub(super) struct Heap {
    lists: Vec<Vec<Value>>,
    pub storages: Vec<Storage>,
    pub tensors: Vec<Tensor>,
    held: usize,
}

impl Heap {
    /// The contents of a tuple, list or dict.
    pub(super) fn list(&self, number: u32) -> &[Value] {
        &self.lists[number as usize]
    }

    /// Makes a tuple, list or dict.
    pub(super) fn make(&mut self, contents: Vec<Value>) -> Result<u32, String> {
        self.hold(OBJECT + contents.len())?;
        self.lists.push(contents);
        Ok(self.lists.len() as u32 - 1)
    }

    pub(super) fn extend(&mut self, number: u32, more: &[Value]) -> Result<(), String> {
        self.hold(more.len())?;
        self.lists[number as usize].extend_from_slice(more);
        Ok(())
    }

    pub(super) fn add_storage(&mut self, storage: Storage) -> Result<Value, String> {
        self.hold(OBJECT)?;
        self.storages.push(storage);
        Ok(Value::Storage(self.storages.len() as u32 - 1))
    }

    pub(super) fn add_tensor(&mut self, tensor: Tensor) -> Result<Value, String> {
        self.hold(OBJECT)?;
        self.tensors.push(tensor);
        Ok(Value::Tensor(self.tensors.len() as u32 - 1))
    }

    fn hold(&mut self, more: usize) -> Result<(), String> {
        self.held += more;
        if self.held > MOST_HELD {
            return Err(format!("it makes more than {MOST_HELD} objects; {}", super::SAVE_DICT));
        }
        Ok(())
    }
}

/// What a value is, for errors.
pub(super) fn kind(value: Value) -> &'static str {
    match value {
        Value::None => "None",
        Value::Bool(_) => "a bool",
        Value::Int(_) | Value::Long(_) => "a number",
        Value::Text(_) => "a string",
        Value::Tuple(_) => "a tuple",
        Value::List(_) => "a list",
        Value::Dict(_) => "a dict",
        Value::Global(_) => "a function or class",
        Value::Storage(_) => "a storage",
        Value::Tensor(_) => "a tensor",
        Value::Ignored => "another object",
    }
}
