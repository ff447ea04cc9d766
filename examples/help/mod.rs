//! Answers `--help`. Shared by the examples that read their arguments by place.

use std::io::Write as _;

/// Prints `help` and ends the program, if an argument asks for it.
pub(crate) fn answer(help: &str) {
    if std::env::args_os().skip(1).any(|argument| argument == "--help" || argument == "-h") {
        // The reader may have closed the pipe (`| head`).
        let _ = std::io::stdout().write_all(help.as_bytes());
        std::process::exit(0);
    }
}
