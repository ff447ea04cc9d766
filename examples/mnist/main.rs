//! Trains a convolutional network on MNIST: the whole path from data files to trained weights.
//!
//! `cli.rs` reads the options, `network.rs` builds the graphs, `train.rs` runs them, `tune.rs` and `verify.rs` measure
//! and check a step first, `checkpoint.rs` saves and resumes a run, `plot.rs` draws the curves, `report.rs` writes the
//! measurements.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

mod checkpoint;
mod cli;
mod network;
mod plot;
mod progress;
mod report;
mod speed;
mod train;
mod tune;
mod verify;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

/// Prints a line. Unlike `println!` it does not panic if the reader has closed the pipe (`| head`).
macro_rules! say {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($part)*);
    }};
}
pub(crate) use say;

/// The result of a part of the run.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let started = Instant::now();
    let options = match cli::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = std::io::stdout().write_all(cli::HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(message) => return fail(&message, 2),
    };
    match train::run(&options, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string(), 1),
    }
}

fn fail(message: &str, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {}", wgrad::file::printable_message(message));
    ExitCode::from(code)
}
