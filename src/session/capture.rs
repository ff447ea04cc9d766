//! What the tuner needs of a real step: the inputs of single nodes, and their times.

use super::Session;
use crate::error::Result;
use crate::graph::NodeId;
use crate::tensor::HostTensor;
use std::collections::{BTreeMap, BTreeSet};

impl Session {
    /// Runs one step node by node and downloads the inputs of these nodes before each runs. It is a real step: weights
    /// change as in [`Session::step`].
    pub(crate) fn inputs_of(
        &mut self,
        nodes: &BTreeSet<NodeId>,
    ) -> Result<BTreeMap<NodeId, Vec<HostTensor>>> {
        self.begin(1)?;
        self.submit_part(Session::encode_inputs)?;
        let (mut found, mut next, mut failed) = (BTreeMap::new(), 0, None);
        for step in self.plan.steps().to_vec() {
            if !nodes.contains(&step.node) {
                continue;
            }
            let inputs = self.plan.graph().node_at(step.node).inputs.clone();
            let start = step.dispatches.start;
            let downloaded = self.submit_part(|session| session.encode(next..start)).and_then(|()| {
                next = start;
                crate::device::block_on(self.download(&inputs))
            });
            match downloaded {
                Ok(inputs) => found.insert(step.node, inputs),
                Err(e) => {
                    failed = Some(e);
                    break;
                }
            };
        }
        // Finish the step in any case: half of one would leave weights that no step number describes.
        self.complete(next)?;
        failed.map_or(Ok(found), Err)
    }
}
