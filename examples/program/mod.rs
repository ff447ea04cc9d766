//! What a program prints, and how it ends. Shared by examples.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

use std::error::Error;
use std::process::ExitCode;

/// Prints a line. Unlike `println!` it does not panic if the reader has closed the pipe (`| head`).
macro_rules! say {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($part)*);
    }};
}
pub(crate) use say;

/// The result of a part of the run.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Prints the error, if any, and returns the exit code.
pub fn end(outcome: Outcome<()>) -> ExitCode {
    use std::io::Write as _;
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let message = wgrad::file::printable_message(&error.to_string());
            let _ = writeln!(std::io::stderr(), "error: {message}");
            ExitCode::FAILURE
        }
    }
}
