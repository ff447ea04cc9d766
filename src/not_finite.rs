//! The numerics watch's findings as plain data. A session makes them (`session/watch`), and an error carries
//! them.

use std::fmt;

/// The first step with a value that was not finite.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NotFinite {
    /// The step's number, as [`Session::step_number`](crate::Session::step_number) counts.
    pub step: u32,
    /// The first node, in the graph's order, whose output was not finite. `None` if only a parameter or state
    /// was not finite, and no node's output.
    pub node: Option<NodeFault>,
    /// The input, constant, parameter or state that was not finite before the step, if the finding came from
    /// one.
    pub source: Option<SourceFault>,
}

/// A node whose output was not finite.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NodeFault {
    /// The operator, or several that were fused.
    pub operator: String,
    /// The node's name.
    pub node: String,
    /// Which of its outputs; 0 for an optimizer's update, whose tensors count together.
    pub output: usize,
    /// The parameter or state that this output updates, if any.
    pub updates: Option<String>,
    /// Number of elements that were not finite. For fused operators it includes elements that were not finite
    /// after any of them. For an update it may include padding between tensors, if the rate or a norm is not
    /// finite.
    pub elements: u64,
    /// Whether the node updates parameters.
    pub is_update: bool,
}

/// Contents that were not finite before a step.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SourceFault {
    /// Its kind.
    pub kind: SourceKind,
    /// Its name.
    pub name: String,
    /// Elements that were not finite.
    pub elements: u64,
    /// Flat index of the first of them, if it is known.
    pub position: Option<u64>,
}

/// A kind of value that a step starts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SourceKind {
    /// Written before the step.
    Input,
    /// Fixed contents.
    Constant,
    /// Trained, or loaded.
    Parameter,
    /// Running statistics, an optimizer's state.
    State,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SourceKind::Input => "input",
            SourceKind::Constant => "constant",
            SourceKind::Parameter => "parameter",
            SourceKind::State => "state",
        })
    }
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} (counted from 0): ", self.step)?;
        if let Some(source) = &self.source {
            write!(f, "{source}")?;
            if let Some(node) = &self.node {
                write!(f, "; first to follow: {node}")?;
            }
            return f.write_str(match source.kind {
                SourceKind::Input => "; check the data, and how it is normalised",
                SourceKind::Constant => "; check the tensor that the graph was built with",
                _ => "; load other weights, or resume an earlier checkpoint",
            });
        }
        let Some(node) = &self.node else { return f.write_str("nothing is known") };
        write!(f, "{node}, the first in the graph to do so")?;
        f.write_str(if node.is_update {
            "; lower the learning rate or clip the gradients"
        } else {
            "; lower the learning rate, clip the gradients, or check the range of the inputs"
        })
    }
}

impl fmt::Display for NodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NodeFault { operator, node, output, updates, elements, .. } = self;
        let are = if *elements == 1 { "element that is" } else { "elements that are" };
        let which = match updates {
            Some(name) => format!(" (its \"{name}\")"),
            None if *output == 0 => String::new(),
            None => format!(" (output {output})"),
        };
        write!(f, "{operator} \"{node}\"{which} made {elements} {are} not finite")
    }
}

impl fmt::Display for SourceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SourceFault { kind, name, elements, position } = self;
        let are = if *elements == 1 { "element that is" } else { "elements that are" };
        write!(f, "{kind} \"{name}\" holds {elements} {are} not finite")?;
        match position {
            Some(position) if *elements == 1 => write!(f, ", at position {position}"),
            Some(position) => write!(f, ", the first at position {position}"),
            None => Ok(()),
        }
    }
}
