//! Files are written whole even if the writer is killed or races another, refused if they are not regular files or of
//! the wrong kind, and never trusted. Generated damage is in `damaged`, `damaged_data`, `onnx` and `pytorch`; `WGRAD_FUZZ`
//! multiplies its cases.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

#[path = "../harness/mod.rs"]
mod harness;

mod damage;
mod damaged;
mod damaged_data;
mod memory;
#[path = "../onnx/message.rs"]
#[allow(dead_code, reason = "each program uses its part")]
mod message;
mod model;
mod onnx;
mod printed;
mod processes;
mod pytorch;
mod told;
mod writing;
mod written;
