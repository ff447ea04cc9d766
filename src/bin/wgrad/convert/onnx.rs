//! Writes ONNX files: of weights, whose network has to be known, and of another ONNX file, which is imported first.

use super::{Arguments, Written};
use crate::out::{Outcome, fail};
use wgrad::file::printable_path;

/// Writes the network of a file.
pub(super) fn write(arguments: &Arguments) -> Outcome<Written> {
    fail(format!(
        "{} is not written: weights to ONNX is not there yet; write a .safetensors or a .pt file",
        printable_path(&arguments.to)
    ))
}
