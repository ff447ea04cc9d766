//! Exported ONNX files under the ONNX project's checker and ONNX Runtime: a program of its own, which
//! `scripts/test-onnx-runtime.sh` runs with a Python that has both.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

#[path = "../cases/mod.rs"]
mod cases;
#[path = "../harness/mod.rs"]
mod harness;

mod imported;
mod job;
mod networks;
mod operators;
