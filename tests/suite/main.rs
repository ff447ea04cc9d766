//! The tests in one program, so that the library and the GPU's are linked once. One module a subject; what needs a
//! process of its own (a counting allocator, lost devices, programs as users run them) is a program beside this one.

#[path = "../cases/mod.rs"]
mod cases;
#[path = "../harness/mod.rs"]
mod harness;

mod axes;
mod bits;
mod checkpoint;
mod convolutions;
mod data;
mod dropout;
mod elementwise;
mod fixtures_conv_matmul;
mod fixtures_loss_optim;
mod fixtures_pool_norm;
mod fusion;
mod generated;
mod gradients;
mod graphs;
mod iterations;
mod layers;
mod long_windows;
mod losses;
mod memory;
mod mistakes;
mod models;
mod normalization;
mod ops;
mod optim;
mod plan;
mod pooling;
mod profile;
mod recipes;
mod robustness;
mod rooms;
mod session;
mod shaders;
mod sharing;
mod snapshots;
mod special_values;
mod training;
mod verify;
mod verify_at_size;
mod views;
mod watch;
