//! The plan as text: every dispatch with its kernel, workgroups and buffers, then the memory.

use super::{Access, Place, Plan};
use std::fmt;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plan for {} adapter: {} dispatches, 1 submit", self.caps.kind, self.dispatches.len())?;
        for step in &self.steps {
            let node = self.graph.node(step.node);
            let kind = &self.graph.value(node.outputs[0]).kind;
            writeln!(
                f,
                "{} \"{}\" -> {kind}: {} ({})",
                node.operator.name(),
                node.name,
                step.variant,
                step.why
            )?;
            for index in step.dispatches.clone() {
                let dispatch = &self.dispatches[index];
                let [x, y, z] = dispatch.workgroups;
                write!(f, "  {index:>3} {} [{x} {y} {z}]", dispatch.kernel.name())?;
                for binding in &dispatch.bindings {
                    let arrow = if binding.access == Access::Read { "" } else { ">" };
                    match binding.place {
                        Place::Owned { buffer, offset: 0, .. } => write!(f, " {arrow}b{buffer}")?,
                        Place::Owned { buffer, offset, .. } => write!(f, " {arrow}b{buffer}+{offset}")?,
                        Place::Stored { value, .. } => write!(f, " {arrow}{}", self.graph.value(value).name)?,
                    }
                }
                writeln!(f)?;
            }
        }
        for (kind, bytes) in self.device_bytes() {
            writeln!(f, "{:<12} {bytes:>12} bytes", kind.name())?;
        }
        let total: u64 = self.device_bytes().values().sum();
        writeln!(
            f,
            "{:<12} {total:>12} bytes; activations could take {} at the least",
            "total", self.activation_bound
        )
    }
}
