//! Checks and measures wgrad on the adapter at hand. Each call does one part and leaves its results as JSON in a
//! folder; the call `report` makes the report of them. `run.sh` calls one part after the other, each under a time
//! limit, so that a part that hangs or crashes costs only itself.

#[path = "../../../tests/cases/mod.rs"]
mod cases;
#[path = "../../../tests/harness/mod.rs"]
mod harness;

mod adapter;
mod compile;
mod convolutions;
mod mixed;
mod networks;
mod operators;
mod profiles;
mod report;
mod results;
mod throughput;
mod training;
mod verify;

use results::Results;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use wgrad::Device;

const USAGE: &str = "\
usage: check-gpu PART --out DIR [--seconds N]
  PART       adapter, compile, operators, verify, throughput, training, mixed-verify, mixed-throughput,
             mixed-training or profiles: writes DIR/parts/PART.json
             cooperative: says whether the adapter has cooperative matrices, and writes nothing that counts
             report: writes DIR/report.md and DIR/report.json from what the parts left
  --out      the folder of the results
  --seconds  a part ends by itself after this time, and says what it left out; default: no limit
Exits with 0 if nothing is wrong, 1 if a result is, 2 on any other error, 3 if there is no adapter, 77 if the adapter
can't do the part.";

/// The exit code of a part that the adapter can't do.
const LEFT_OUT: u8 = 77;

/// A part: it opens the device itself, because some need one of their own.
type Part = fn(&mut Results) -> Result<(), wgrad::Error>;

const PARTS: [(&str, Part); 11] = [
    ("adapter", adapter::run),
    ("compile", compile::run),
    ("operators", operators::run),
    ("verify", verify::run),
    ("throughput", throughput::run),
    ("training", training::run),
    ("cooperative", mixed::cooperative),
    ("mixed-verify", mixed::verify),
    ("mixed-throughput", throughput::run_mixed),
    ("mixed-training", training::run_mixed),
    ("profiles", profiles::run),
];

struct Options {
    part: String,
    out: PathBuf,
    seconds: Option<u64>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn options() -> Result<Options, String> {
    use lexopt::prelude::*;
    let mut parser = lexopt::Parser::from_env();
    let (mut part, mut out, mut seconds) = (None, None, None);
    let text = |e: lexopt::Error| format!("{e}\n{USAGE}");
    while let Some(argument) = parser.next().map_err(text)? {
        match argument {
            Long("out") => out = Some(PathBuf::from(parser.value().map_err(text)?)),
            Long("seconds") => seconds = Some(parser.value().and_then(|v| v.parse()).map_err(text)?),
            Value(name) if part.is_none() => part = Some(name.string().map_err(text)?),
            _ => return Err(text(argument.unexpected())),
        }
    }
    let part = part.ok_or_else(|| format!("no part is named\n{USAGE}"))?;
    let out = out.ok_or_else(|| format!("--out is missing\n{USAGE}"))?;
    Ok(Options { part, out, seconds })
}

fn run(options: &Options) -> Result<ExitCode, String> {
    if options.part == "report" {
        return report::write(&options.out).map(|()| ExitCode::SUCCESS);
    }
    let part = PARTS.iter().find(|(name, _)| *name == options.part);
    let (name, part) = part.ok_or_else(|| format!("\"{}\" is no part\n{USAGE}", options.part))?;
    // A missing adapter is told apart from all other errors: no part can run then.
    if let Err(error) = Device::open() {
        eprintln!("error: {error}");
        return Ok(ExitCode::from(3));
    }
    let mut results = Results::new(&options.out, name, options.seconds.map(Duration::from_secs))?;
    let ended = part(&mut results);
    if let Err(error) = ended {
        results.wrong(error.to_string());
    }
    results.finish()?;
    if results.is_left_out() && results.is_fine() {
        return Ok(ExitCode::from(LEFT_OUT));
    }
    Ok(if results.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
