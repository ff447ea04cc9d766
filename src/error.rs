//! The crate's error type and its `Result` alias.
//!
//! Messages are lowercase, name the node or the file, say what was expected and what was found, and end with
//! advice where it is not obvious. Names and texts in them may come from files or drivers, so
//! [`printable`](crate::file::printable) and its variants escape them. Nothing here formats for colour or
//! logs.

use crate::file::{
    printable as name, printable_lines as lines, printable_message as text, printable_path as file,
};
use std::path::PathBuf;
use std::time::Duration;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors that a user, a file, an adapter or a driver can cause.
///
/// ```
/// use wgrad::op::AdapterKind;
/// use wgrad::{Caps, Error, Graph, Mode, Plan, nn, nn::Layer};
///
/// let mut g = Graph::new();
/// let images = g.input("images", [512, 3, 224, 224])?;
/// let logits = nn::models::resnet18(3, 1000).forward(&mut g, images, Mode::Eval)?;
/// match Plan::new(&g, &[logits], &Caps::webgpu_defaults(AdapterKind::Discrete)) {
///     Err(Error::Limit { node, largest_batch: Some(batch), .. }) => {
///         println!("{node} does not fit; a batch of {batch} does");
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Error>(())
/// ```
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
    /// The graph as a whole is misused: a value of another graph, a name given twice.
    #[error("graph: {}", text(_0))]
    Graph(String),
    /// A dispatch would exceed a limit of the adapter.
    #[error("{operator} \"{}\": {}{}", name(node), text(message), batch_hint(*largest_batch))]
    Limit {
        /// Operator whose dispatch does not fit.
        operator: String,
        /// The node's name.
        node: String,
        /// The limit, the size it allows, the size needed, and advice where a smaller batch would not help.
        message: String,
        /// The largest batch size (leading dimension of the first input) with which the whole graph fits.
        /// `None` if the batch is not at fault, or if no batch fits.
        largest_batch: Option<usize>,
    },
    /// The requested kernel variant does not exist or does not apply.
    #[error(
        "{operator} \"{}\": variant \"{}\" does not apply here; it can be one of: {offered}",
        name(node),
        name(variant)
    )]
    Variant {
        /// The operator.
        operator: String,
        /// The node's name.
        node: String,
        /// The requested variant.
        variant: String,
        /// Variants that apply to this shape on this adapter.
        offered: String,
    },
    /// No adapter, or none that matches the request.
    #[error("no usable GPU adapter: {}", text(_0))]
    Adapter(String),
    /// Ranks that compute together do not agree, or one is gone.
    #[error("parallel: {}", text(_0))]
    Parallel(String),
    /// As many items as may wait do so. Ask again later.
    #[error(
        "{waiting} items wait for an answer, the most is {most}; ask again later, or set PredictorOptions::longest_queue"
    )]
    Busy {
        /// Items that wait.
        waiting: usize,
        /// The most that may.
        most: usize,
    },
    /// A predictor has no thread that answers.
    #[error("predictor: {}", text(_0))]
    Predictor(String),
    /// The driver refused something or reported a fault.
    #[error("device \"{}\": {}", name(adapter), lines(message))]
    Device {
        /// The adapter's name.
        adapter: String,
        /// The driver's message.
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
        /// The driver's reason.
        reason: String,
    },
    /// The GPU was not done within the limit that [`Device::set_wait_limit`](crate::Device::set_wait_limit)
    /// set. Nothing is lost: submitted work keeps running.
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
        /// The object that does not belong, for example `weights`.
        object: &'static str,
        /// Adapter of the expected device.
        expected: String,
        /// Adapter of the object's device. It may be the same adapter: opening it twice makes two devices.
        found: String,
    },
    /// Not enough host memory.
    #[error("{}: {bytes} bytes of host memory are not available", text(what))]
    HostMemory {
        /// Purpose of the memory, for example the name of a parameter.
        what: String,
        /// Size of the request, in bytes.
        bytes: u64,
    },
    /// Data written to a session, or requested from it, does not fit the value.
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
        /// The GPU's result there.
        found: f64,
        /// The reference's result there.
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
    /// The loss of a training step is not finite.
    #[error("the loss of step {step} is {loss}: training diverged; try a learning rate below {rate:?}")]
    Diverged {
        /// Number of the step in its run, from 1.
        step: u64,
        /// The loss.
        loss: f32,
        /// The learning rate of the last step.
        rate: f32,
    },
    /// A picture can't be drawn.
    #[error("drawing a picture: {}", text(_0))]
    Drawing(String),
    /// A weights file does not hold what the graph needs.
    #[error("weights file {}: {}", file(path), text(message))]
    Weights {
        /// The file.
        path: PathBuf,
        /// The tensor concerned, expected and found.
        message: String,
    },
    /// An ONNX file is damaged, or holds what can't be imported.
    #[error("ONNX file {}: {}", file(path), lines(message))]
    Onnx {
        /// The file.
        path: PathBuf,
        /// The nodes or tensors concerned, what is wrong with them, and what to do.
        message: String,
    },
    /// A data file is damaged or has another format than its name or header says.
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
    /// A setting is out of range.
    #[error("{setting}: {}", text(message))]
    Setting {
        /// The setting's name, for example `batch_size`.
        setting: &'static str,
        /// Expected and found.
        message: String,
    },
}

impl Error {
    /// Puts `what` in front of a driver's message; other errors stay as they are.
    pub(crate) fn about(mut self, what: &str) -> Error {
        if let Error::Device { message, .. } = &mut self {
            *message = format!("{what}: {message}");
        }
        self
    }

    /// Sets the step of an [`Error::Timeout`]; other errors stay as they are.
    pub(crate) fn of_step(mut self, number: Option<u32>) -> Error {
        if let Error::Timeout { step, .. } = &mut self {
            *step = number;
        }
        self
    }

    /// Names the operator that the user called in an [`Error::Node`]; other errors stay as they are.
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
