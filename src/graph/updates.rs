//! Parameters and state that nodes update in place: which value is the newest, and of which tensor.

use super::{Graph, Source, Value};
use std::collections::HashMap;

/// For parameters and state that were updated in place: by the new value's number that of the first value.
pub(crate) struct Origins(HashMap<usize, usize>);

impl Origins {
    /// The number of the parameter or state that `value` has new contents of, or its own.
    pub fn of(&self, value: Value) -> usize {
        self.0.get(&value.index).copied().unwrap_or(value.index)
    }

    /// Whether `value` is new contents of a parameter or state.
    pub fn is_update(&self, value: Value) -> bool {
        self.0.contains_key(&value.index)
    }
}

impl Graph {
    /// Which values are parameters or state with new contents, and of which ones.
    pub(crate) fn origins(&self) -> Origins {
        let mut origins = Origins(HashMap::new());
        for node in &self.nodes {
            for (output, input) in node.operator.in_place() {
                let origin = origins.of(node.inputs[input]);
                if matches!(self.values[origin].source, Source::Parameter(_) | Source::State { .. }) {
                    origins.0.insert(node.outputs[output].index, origin);
                }
            }
        }
        origins
    }

    /// The value that holds what `value` did, after all updates in place so far.
    pub(crate) fn newest(&self, value: Value) -> Value {
        let newest = self.replaced.get(&self.info(value).storage);
        newest.map_or(value, |&(newest, _)| self.identity.value(newest))
    }
}
