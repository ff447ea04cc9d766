//! ONNX files: the ONNX project's own tests of single operators, networks that PyTorch exported, damaged files.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

#[path = "../harness/mod.rs"]
mod harness;

mod damaged;
mod export;
mod layers;
mod logic;
mod message;
mod networks;
mod nodes;
mod rules;
mod sizes;
