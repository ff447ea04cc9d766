//! `wgrad completions`: what a shell needs to complete the program's arguments.

use crate::out::{self, Outcome};
use clap_complete::Shell;

/// Prints a shell's completions
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  wgrad completions bash > ~/.local/share/bash-completion/completions/wgrad"
)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, mut command: clap::Command) -> Outcome<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "wgrad", &mut script);
    out::text(&String::from_utf8_lossy(&script))
}
