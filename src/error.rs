//! The one error type of the crate, and the `Result` alias that uses it.
//!
//! Messages are lowercase, name the node or the file, say what was expected and what was found,
//! and end with what to do where that is not obvious. Names and texts in them may come from anywhere, so they
//! are printed by [`printable`](crate::file::printable) and its kin. Nothing here formats for colour or logs.

use crate::file::{
    printable as name, printable_lines as lines, printable_message as text, printable_path as file,
};
use std::path::PathBuf;
use std::time::Duration;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong through a user, a file, an adapter or a driver.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A node can't be added to the graph: shapes, channels, types or attributes disagree.
    #[error("{operator} \"{}\": {}", name(node), text(message))]
    Node {
        /// Operator, for example `conv2d`.
        operator: String,
        /// The node's name, for example `stem`.
        node: String,
        /// What was expected and what was found.
        message: String,
    },
    /// The graph as a whole is used wrongly: a value of another graph, a name given twice.
    #[error("graph: {}", text(_0))]
    Graph(String),
    /// A dispatch would exceed a limit of the adapter.
    #[error("{operator} \"{}\": {}{}", name(node), text(message), batch_hint(*largest_batch))]
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
    #[error(
        "{operator} \"{}\": variant \"{}\" does not apply here; it can be one of: {offered}",
        name(node),
        name(variant)
    )]
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
    #[error("no usable GPU adapter: {}", text(_0))]
    Adapter(String),
    /// The driver refused something or reported a fault.
    #[error("device \"{}\": {}", name(adapter), lines(message))]
    Device {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        message: String,
    },
    /// The device is lost, and so is everything on it. Every later call on it fails with this error.
    #[error(
        "device \"{}\" is lost: {}; open a device again and rebuild the session on it with Session::rebuild",
        name(adapter),
        lines(reason)
    )]
    DeviceLost {
        /// The adapter's name.
        adapter: String,
        /// Why, as far as the driver says.
        reason: String,
    },
    /// The GPU was not done within the limit that [`Device::set_wait_limit`](crate::Device::set_wait_limit) set.
    /// Nothing is lost: what was submitted goes on running.
    #[error(
        "device \"{}\": {} was not done within {limit:?}; wait again, or set a longer limit with Device::set_wait_limit",
        name(adapter),
        step.map_or("what was submitted".into(), |step| format!("step {step}"))
    )]
    Timeout {
        /// The adapter's name.
        adapter: String,
        /// Number of the last step that was waited for; `None` outside a session.
        step: Option<u32>,
        /// The limit.
        limit: Duration,
    },
    /// Two objects of different devices are used together.
    #[error(
        "{object} belong to another device (\"{}\") than this one (\"{}\"); make both on the same `Device`, or move them by a checkpoint or by Session::rebuild",
        name(found),
        name(expected)
    )]
    OtherDevice {
        /// What was given, for example `weights`.
        object: &'static str,
        /// The adapter of the device that was expected.
        expected: String,
        /// The adapter of the device that it belongs to; two devices of one adapter are two devices.
        found: String,
    },
    /// The host lacks memory.
    #[error("{}: {bytes} bytes of host memory are not available", text(what))]
    HostMemory {
        /// What the memory was for, for example the name of a parameter.
        what: String,
        /// How much, in bytes.
        bytes: u64,
    },
    /// Data written to, or asked from, a session does not fit the value.
    #[error("value \"{}\": {}", self::name(name), text(message))]
    Value {
        /// The value's name.
        name: String,
        /// What was expected and what was found.
        message: String,
    },
    /// A node's result on the GPU differs from the reference.
    #[error(
        "verify: {operator} \"{}\" (variant {variant}) differs from the reference in output {output}: element {element} is {found}, expected {expected}; largest error {error:.3e} of the largest value, tolerance {tolerance:.1e}",
        name(node)
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
    /// The numerics watch found infinities or NaNs.
    #[error("{0}")]
    NotFinite(Box<crate::not_finite::NotFinite>),
    /// A shader could not be assembled: an unknown constant, a missing file.
    #[error("shader \"{shader}\": {}", lines(message))]
    Shader {
        /// Name of the joined shader.
        shader: String,
        /// What is wrong.
        message: String,
    },
    /// A weights file does not hold what the graph needs.
    #[error("weights file {}: {}", file(path), text(message))]
    Weights {
        /// The file.
        path: PathBuf,
        /// The tensor concerned, expected and found.
        message: String,
    },
    /// A data file is damaged or is not what it says.
    #[error("data file {}: {}", file(path), text(message))]
    Data {
        /// The file.
        path: PathBuf,
        /// Expected and found.
        message: String,
    },
    /// Reading or writing a file failed.
    #[error("{action} {}: {source}", file(path))]
    File {
        /// `reading` or `writing`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A setting is outside what it may be.
    #[error("{setting}: {}", text(message))]
    Setting {
        /// The setting's name, for example `batch_size`.
        setting: &'static str,
        /// Expected and found.
        message: String,
    },
}

impl Error {
    /// The same of a refusal of the driver, with what was going on in front.
    pub(crate) fn about(mut self, what: &str) -> Error {
        if let Error::Device { message, .. } = &mut self {
            *message = format!("{what}: {message}");
        }
        self
    }

    /// The same of a wait for this step, if that is what it's about.
    pub(crate) fn of_step(mut self, number: Option<u32>) -> Error {
        if let Error::Timeout { step, .. } = &mut self {
            *step = number;
        }
        self
    }

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
