//! Dependencies of a value: parameters and nodes.

use super::{Graph, NodeId, Source, Value};
use crate::error::Result;
use std::collections::BTreeSet;

impl Graph {
    /// The parameters that `loss` depends on, in the order they were declared.
    ///
    /// # Errors
    /// A value of another graph.
    pub fn parameters_of(&self, loss: Value) -> Result<Vec<Value>> {
        let nodes = self.nodes_behind(loss)?;
        let origins = self.origins();
        let inputs = nodes.iter().flat_map(|id| &self.node_at(*id).inputs);
        let reached: BTreeSet<usize> = inputs.chain([&loss]).map(|&v| origins.of(v)).collect();
        Ok(self.parameters().into_iter().filter(|v| reached.contains(&v.index)).collect())
    }

    /// The nodes that `value` depends on within a step, in order, without those that updated the parameters and state
    /// that it reads.
    ///
    /// # Errors
    /// A value of another graph.
    pub(crate) fn nodes_behind(&self, value: Value) -> Result<BTreeSet<NodeId>> {
        self.check_owned([value])?;
        let mut found = BTreeSet::new();
        let mut open = vec![value];
        let origins = self.origins();
        while let Some(value) = open.pop() {
            if let Source::Node { node, .. } = self.values[value.index].source
                && found.insert(node)
            {
                open.extend(self.node_at(node).inputs.iter().filter(|v| !origins.is_update(**v)));
            }
        }
        Ok(found)
    }
}
