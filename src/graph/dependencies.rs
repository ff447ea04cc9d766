//! What a value depends on.

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
        let mut reached: BTreeSet<Value> =
            nodes.iter().flat_map(|id| &self.node_at(*id).inputs).copied().collect();
        reached.insert(loss);
        Ok(self.parameters().into_iter().filter(|v| reached.contains(v)).collect())
    }

    /// The nodes that `value` depends on, in order.
    ///
    /// # Errors
    /// A value of another graph.
    pub(super) fn nodes_behind(&self, value: Value) -> Result<BTreeSet<NodeId>> {
        self.check_owned([value])?;
        let mut found = BTreeSet::new();
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            if let Source::Node { node, .. } = self.values[value.index].source
                && found.insert(node)
            {
                open.extend(&self.node_at(node).inputs);
            }
        }
        Ok(found)
    }
}
