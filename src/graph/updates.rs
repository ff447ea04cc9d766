//! Updates in place: which value of a parameter or state is the newest, and which was the first.

use super::{Graph, Source, Value};
use std::collections::HashMap;

/// For parameters and state that were updated in place: maps the new value's number to the first value's.
pub(crate) struct Origins(HashMap<usize, usize>);

impl Origins {
    /// The number of the parameter or state that `value` updates, or its own.
    pub(crate) fn of(&self, value: Value) -> usize {
        self.0.get(&value.index).copied().unwrap_or(value.index)
    }

    /// Whether `value` is an updated parameter or state.
    pub(crate) fn is_update(&self, value: Value) -> bool {
        self.0.contains_key(&value.index)
    }
}

impl Graph {
    /// Maps updated values to the parameters and state they belong to.
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

    /// The newest value of `value`'s storage, after all updates in place so far.
    pub(crate) fn newest(&self, value: Value) -> Value {
        let newest = self.replaced.get(&self.info(value).storage);
        newest.map_or(value, |&(newest, _)| self.identity.value(newest))
    }
}
