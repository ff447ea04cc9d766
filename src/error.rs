//! The one error type of the crate, and the `Result` alias that uses it.
//!
//! Messages are lowercase, name the node or the file, say what was expected and what was found,
//! and end with what to do where that is not obvious. Nothing here formats for colour or logs.

use std::path::PathBuf;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong through a user, a file, an adapter or a driver.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A node can't be added to the graph: shapes, channels, types or attributes disagree.
    #[error("{operator} \"{node}\": {message}")]
    Node {
        /// Operator, for example `conv2d`.
        operator: String,
        /// The node's name, for example `stem`.
        node: String,
        /// What was expected and what was found.
        message: String,
    },
    /// The graph as a whole is used wrongly: a value of another graph, a name given twice.
    #[error("graph: {0}")]
    Graph(String),
    /// A dispatch would exceed a limit of the adapter.
    #[error("{operator} \"{node}\": {message}{}", batch_hint(*largest_batch))]
    Limit {
        /// Operator whose dispatch does not fit.
        operator: String,
        /// The node's name.
        node: String,
        /// The limit, what it allows, what was needed and what to do where a smaller batch is no help.
        message: String,
        /// The largest batch size (leading dimension of the first input) with which the whole
        /// graph fits; `None` where the batch is not at fault, or no batch fits.
        largest_batch: Option<usize>,
    },
    /// A kernel variant was asked for that does not exist or does not apply.
    #[error("{operator} \"{node}\": variant \"{variant}\" does not apply here; it can be one of: {offered}")]
    Variant {
        /// Operator asked.
        operator: String,
        /// The node's name.
        node: String,
        /// The variant asked for.
        variant: String,
        /// The ones that apply to this shape on this adapter.
        offered: String,
    },
    /// No adapter, or none that matches what was asked for.
    #[error("no usable GPU adapter: {0}")]
    Adapter(String),
    /// The driver reported a fault or the device was lost.
    #[error("device \"{adapter}\": {message}")]
    Device {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        message: String,
    },
    /// Data written to, or asked from, a session does not fit the value.
    #[error("value \"{name}\": {message}")]
    Value {
        /// The value's name.
        name: String,
        /// What was expected and what was found.
        message: String,
    },
    /// A node's result on the GPU differs from the reference.
    #[error(
        "verify: {operator} \"{node}\" (variant {variant}) differs from the reference in output {output}: element {element} is {found}, expected {expected}; largest error {error:.3e} of the largest value, tolerance {tolerance:.1e}"
    )]
    Verify {
        /// Operator that differs.
        operator: String,
        /// The node's name.
        node: String,
        /// The kernel variant that ran.
        variant: String,
        /// Which output of the node.
        output: usize,
        /// Flat index of the element with the largest difference.
        element: usize,
        /// What the GPU gave there.
        found: f64,
        /// What the reference gave there.
        expected: f64,
        /// The largest difference over the largest magnitude of the reference.
        error: f64,
        /// The operator's tolerance.
        tolerance: f64,
    },
    /// A shader could not be assembled: an unknown constant, a missing file.
    #[error("shader \"{shader}\": {message}")]
    Shader {
        /// Name of the joined shader.
        shader: String,
        /// What is wrong.
        message: String,
    },
    /// A weights file does not hold what the graph needs.
    #[error("weights file {}: {message}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The tensor concerned, expected and found.
        message: String,
    },
    /// A data file is damaged or is not what it says.
    #[error("data file {}: {message}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// Expected and found.
        message: String,
    },
    /// Reading or writing a file failed.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// `reading` or `writing`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A setting is outside what it may be.
    #[error("{setting}: {message}")]
    Setting {
        /// The setting's name, for example `batch_size`.
        setting: &'static str,
        /// Expected and found.
        message: String,
    },
}

impl Error {
    /// The same of a node under the name of the operator that a user asked for.
    pub(crate) fn of_operator(mut self, name: &str) -> Error {
        if let Error::Node { operator, .. } = &mut self {
            name.clone_into(operator);
        }
        self
    }
}

fn batch_hint(largest: Option<usize>) -> String {
    match largest {
        Some(batch) => format!("; the largest batch that fits is {batch}"),
        None => String::new(),
    }
}
