//! Most tests are in this one program, so that this library and the GPU library are linked once. There is one module
//! per subject. Tests that need a process of their own (a counting allocator, lost devices, programs as users run
//! them) are other programs.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

#[path = "../cases/mod.rs"]
mod cases;
#[path = "../harness/mod.rs"]
mod harness;

mod airbench94;
mod augment;
mod axes;
mod bits;
mod checkpoint;
mod compare;
mod convolutions;
mod data;
mod dropout;
mod elementwise;
mod fine_tuning;
mod fixtures_conv_matmul;
mod fixtures_loss_optim;
mod fixtures_pool_norm;
mod folding;
mod fusion;
mod generated;
mod gradients;
mod graphs;
mod headers;
mod iterations;
mod kinds;
mod layers;
mod leeway;
mod linkage;
mod loader;
mod long_windows;
mod losses;
mod memory;
mod metrics;
mod mistakes;
mod mixed;
mod models;
mod normalization;
mod ops;
mod optim;
mod optim_matrices;
mod overlap;
mod parallel;
mod plan;
mod pooling;
mod predict;
mod profile;
mod recipes;
mod robustness;
mod rooms;
mod session;
mod several_steps;
mod shaders;
mod sharing;
mod snapshots;
mod special_values;
mod train;
mod training;
mod tuning;
mod verify;
mod verify_at_size;
mod views;
mod watch;
