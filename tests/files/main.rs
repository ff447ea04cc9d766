//! Files: written whole whoever kills or races the writer, refused where they are no files or not the ones that
//! were meant, and never believed. Generated damage is in `damaged`; `WGRAD_FUZZ` multiplies its cases.

#[path = "../harness/mod.rs"]
mod harness;

mod damage;
mod damaged;
mod memory;
mod model;
mod printed;
mod processes;
mod told;
mod writing;
