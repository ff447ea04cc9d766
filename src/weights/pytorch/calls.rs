//! What the functions and classes of a pickle stand for. Nothing is called: a tensor's function notes where the tensor
//! is, and most others make nothing.

use super::globals::Global;
use super::values::{Heap, Storage, Tensor, Value, kind};

/// The longest key of a storage: PyTorch's are numbers. Each tensor looks its key up.
const LONGEST_KEY: u32 = 64;

impl Heap {
    /// What a function or class makes of arguments.
    pub(super) fn call(&mut self, function: Global, arguments: u32, at: usize) -> Result<Value, String> {
        let argument = |index: usize| self.list(arguments).get(index).copied();
        match function {
            Global::Ignored => Ok(Value::Ignored),
            Global::OrderedDict => {
                let mut contents = vec![];
                // Python 2 gives the pairs as a list.
                if let Some(Value::List(pairs)) = argument(0) {
                    for &pair in self.list(pairs) {
                        match pair {
                            Value::List(pair) | Value::Tuple(pair) if self.list(pair).len() == 2 => {
                                contents.extend_from_slice(self.list(pair));
                            }
                            other => return Err(format!("found {} in a dict, expected a pair", kind(other))),
                        }
                    }
                }
                self.make(contents).map(Value::Dict)
            }
            Global::Size => match argument(0) {
                Some(Value::Tuple(sizes)) => Ok(Value::Tuple(sizes)),
                _ => Err("torch.Size needs a tuple".into()),
            },
            Global::Parameter => match argument(0) {
                Some(tensor @ Value::Tensor(_)) => Ok(tensor),
                _ => Err("a parameter needs a tensor".into()),
            },
            Global::Tensor | Global::TypedTensor => {
                let (
                    Some(Value::Storage(storage)),
                    Some(Value::Int(offset)),
                    Some(Value::Tuple(shape)),
                    Some(Value::Tuple(strides)),
                ) = (argument(0), argument(1), argument(2), argument(3))
                else {
                    return Err("a tensor needs a storage, an offset, a shape and strides".into());
                };
                let (dtype, metadata) = match (function, argument(6)) {
                    (Global::Tensor, metadata) => (self.storages[storage as usize].dtype, metadata),
                    (_, Some(Value::Global(Global::Dtype(dtype)))) => (dtype, argument(7)),
                    _ => return Err("a tensor of this kind needs an element type".into()),
                };
                if metadata.is_some_and(
                    |metadata| matches!(metadata, Value::Dict(bits) if !self.list(bits).is_empty()),
                ) {
                    return Err(
                        "the tensor is a negated or conjugated view; save its .resolve_neg().resolve_conj()"
                            .into(),
                    );
                }
                self.add_tensor(Tensor { storage, dtype, offset, shape, strides, made_at: at })
            }
            Global::Storage(_) | Global::Dtype(_) => {
                Err("it calls a class of storages or an element type".into())
            }
        }
    }

    /// The storage that a persistent id names: `("storage", class, key, device, elements, part)`.
    pub(super) fn storage(&mut self, id: Value, pickle: &[u8]) -> Result<Value, String> {
        let wrong = || "the persistent id is not that of a storage".to_owned();
        let Value::Tuple(id) = id else { return Err(wrong()) };
        let &[
            Value::Text(tag),
            Value::Global(Global::Storage(dtype)),
            Value::Text(key),
            _,
            Value::Int(elements),
            ref part @ ..,
        ] = self.list(id)
        else {
            return Err(wrong());
        };
        // A part has a key of its own, its first element and their number.
        let first = match *part {
            [] | [Value::None] => Some(0),
            [Value::Tuple(part)] => match *self.list(part) {
                [_, Value::Int(first), Value::Int(_)] => u64::try_from(first).ok(),
                _ => None,
            },
            _ => None,
        };
        let (b"storage", Some(first), Ok(elements)) = (tag.of(pickle), first, u64::try_from(elements)) else {
            return Err(wrong());
        };
        if key.len > LONGEST_KEY {
            return Err(format!("the key of a storage has {} bytes, the limit is {LONGEST_KEY}", key.len));
        }
        self.add_storage(Storage { dtype, key, elements, first })
    }
}
