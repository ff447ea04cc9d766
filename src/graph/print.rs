//! The graph as text: one line per value that no node makes, then one per node.

use super::{Graph, Source};
use crate::file::printable;
use std::fmt;

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (value, info) in self.values() {
            let source = match &info.source {
                Source::Input => "input",
                Source::StepCounter => "step counter",
                Source::Constant(_) => "constant",
                Source::Parameter(_) => "parameter",
                Source::State { .. } => "state",
                Source::Node { .. } | Source::Dropped => continue,
            };
            writeln!(f, "%{} = {source} \"{}\" {}", value.index, printable(&info.name), info.ty)?;
        }
        for (_, node) in self.nodes() {
            let list = |values: &[super::Value]| {
                values.iter().map(|v| format!("%{}", v.index)).collect::<Vec<_>>().join(", ")
            };
            let types =
                node.outputs.iter().map(|&v| self.info(v).ty.to_string()).collect::<Vec<_>>().join(", ");
            writeln!(
                f,
                "{} = {} \"{}\" ({}) -> {types}",
                list(&node.outputs),
                node.operator.name(),
                printable(&node.name),
                list(&node.inputs)
            )?;
        }
        Ok(())
    }
}
