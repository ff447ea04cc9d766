//! The program `wgrad`: looks at files of weights and ONNX files, converts them, runs, times and checks networks. Each
//! subcommand has a file. `model.rs` makes networks of what the command line names, `adapter.rs` opens devices, and `out.rs`
//! prints. All that works on tensors is the library's.

mod adapter;
mod adapters;
mod bench;
mod check;
mod completions;
mod convert;
mod inspect;
mod model;
mod out;
mod plan;
mod precision;
mod run;
mod sources;

use clap::{CommandFactory, Parser, Subcommand};
use out::{Failure, Outcome};
use std::process::ExitCode;

/// Looks at, converts, runs, times and checks convolutional networks on any GPU.
///
/// MODEL is a file of weights (.safetensors, .pt, .pth, .bin, or an index of several), an ONNX file, or the name of a network
/// such as resnet18, which then has random weights. The exit status is 0, 1 if something failed or was found wrong, or 2 if the
/// arguments make no sense.
#[derive(Parser)]
#[command(name = "wgrad", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Inspect(inspect::Arguments),
    Convert(convert::Arguments),
    Run(run::Arguments),
    Bench(bench::Arguments),
    Check(check::Arguments),
    Adapters(adapters::Arguments),
    Plan(plan::Arguments),
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    // Usage errors come before the arguments are known.
    let json = std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|a| a == "--json");
    let outcome = match Arguments::try_parse() {
        Ok(arguments) => execute(arguments.command),
        // Help and the version are errors to the parser too.
        Err(error) if !error.use_stderr() => out::text(&error.render().to_string()),
        Err(error) => Err(Failure::usage_of(&error, json)),
    };
    out::end(outcome, json)
}

fn execute(command: Command) -> Outcome<()> {
    match command {
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Adapters(arguments) => adapters::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command()),
    }
}
