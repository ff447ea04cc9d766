//! The plan as text: every dispatch with its kernel, workgroups and buffers, then the memory. A dispatch that a `+`
//! marks is in one group with the dispatch before it.

use super::{BufferKind, Place, Plan};
use crate::file::printable;
use crate::shader::Access;
use std::fmt;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, dispatches, groups) = (self.caps.kind, self.dispatches.len(), self.groups.len());
        let submits = match self.submits.len() {
            1 => "1 submit".to_owned(),
            count => format!("{count} submits"),
        };
        writeln!(f, "plan for {kind} adapter: {dispatches} dispatches in {groups} groups, {submits}")?;
        let mut starts: Vec<bool> = vec![false; dispatches];
        self.groups.iter().for_each(|group| starts[group.start] = true);
        for step in &self.steps {
            let node = self.graph.node_at(step.node);
            let kind = &self.graph.info(node.outputs[0]).ty;
            writeln!(
                f,
                "{} \"{}\" -> {kind}: {} ({})",
                node.operator.describe(),
                printable(&node.name),
                step.variant,
                step.why
            )?;
            for index in step.dispatches.clone() {
                let dispatch = &self.dispatches[index];
                let [x, y, z] = dispatch.workgroups;
                let joins = if starts[index] { ' ' } else { '+' };
                write!(f, " {joins}{index:>3} {} [{x} {y} {z}]", dispatch.kernel.name())?;
                for binding in &dispatch.bindings {
                    let arrow = if binding.access == Access::Read { "" } else { ">" };
                    match binding.place {
                        Place::Owned { buffer, offset: 0, .. } => write!(f, " {arrow}b{buffer}")?,
                        Place::Owned { buffer, offset, .. } => write!(f, " {arrow}b{buffer}+{offset}")?,
                        Place::Stored { value, .. } => {
                            write!(f, " {arrow}{}", printable(&self.graph.info(value).name))?;
                        }
                    }
                }
                writeln!(f)?;
            }
        }
        let bytes = self.device_bytes();
        for (kind, bytes) in &bytes {
            write!(f, "{:<12} {bytes:>12} bytes", kind.name())?;
            if *kind == BufferKind::Activations {
                write!(f, "{}", AtTheLeast(*bytes, self.activation_lower_bound()))?;
            }
            writeln!(f)?;
        }
        let total: u64 = bytes.values().sum();
        writeln!(f, "{:<12} {total:>12} bytes{}", "total", AtTheLeast(total, self.device_lower_bound()))?;
        self.print_counts(f)
    }
}

/// Bytes planned, and the least possible.
struct AtTheLeast(u64, u64);

impl fmt::Display for AtTheLeast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &AtTheLeast(planned, least) = self;
        let ratio = planned as f64 / least.max(1) as f64;
        write!(f, ", {ratio:.3} times the {least} that are alive at once")
    }
}
