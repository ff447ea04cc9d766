//! Runs the peers in turns and prints one table: each peer's figures, their ratio, and whether it meets
//! wgrad's requirement.

mod cost;
mod runs;
mod table;

use runs::Peer;
use std::path::Path;
use std::process::Command;
use table::Table;
use wgrad_peers::work;

const USAGE: &str = "Usage: compare [--only TEXT]... [--turns N] [--short] [--cold] [--build]

Builds wgrad's and burn's peer (burn takes 10 to 20 minutes, once), runs them in turns and prints a
table in Markdown.

  --only TEXT  only work whose name contains TEXT; may be given more than once
  --turns N    turns of each peer (5, with --short 2)
  --short      less exact, for a glance
  --cold       the first step with nothing cached, too (minutes for burn, which tunes itself)
  --build      the time of a clean build, too (10 to 20 minutes for burn)

Names of work: ";

struct Options {
    only: Vec<String>,
    turns: usize,
    short: bool,
    cold: bool,
    build: bool,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| name.contains(text.as_str()))
    }
}

fn main() {
    let names: Vec<&str> = work::ALL.iter().map(|w| w.name).chain(["crates"]).collect();
    let done = match options() {
        Ok(Some(options)) => compare(&options),
        Ok(None) => {
            println!("{USAGE}{}", names.join(", "));
            return;
        }
        Err(message) => {
            eprintln!("error: {message}\n\n{USAGE}{}", names.join(", "));
            std::process::exit(2);
        }
    };
    if let Err(message) = done {
        eprintln!("error: {message}");
        std::process::exit(1);
    }
}

fn options() -> Result<Option<Options>, String> {
    use lexopt::prelude::*;
    let mut parser = lexopt::Parser::from_env();
    let mut options = Options { only: Vec::new(), turns: 0, short: false, cold: false, build: false };
    let mut read = || -> Result<bool, lexopt::Error> {
        while let Some(argument) = parser.next()? {
            match argument {
                Long("only") => options.only.push(parser.value()?.string()?),
                Long("turns") => options.turns = parser.value()?.parse()?,
                Long("short") => options.short = true,
                Long("cold") => options.cold = true,
                Long("build") => options.build = true,
                Long("help") | Short('h') => return Ok(false),
                other => return Err(other.unexpected()),
            }
        }
        Ok(true)
    };
    let wanted = read().map_err(|e| e.to_string())?;
    if options.turns == 0 {
        options.turns = if options.short { 2 } else { 5 };
    }
    Ok(wanted.then_some(options))
}

fn compare(options: &Options) -> Result<(), String> {
    for peer in Peer::BOTH {
        peer.build(None)?;
    }
    let mut table = Table::default();
    for work in work::ALL.iter().filter(|w| options.wants(w.name)) {
        // Not counted: it fills the driver's caches, and burn tunes itself and saves its choices.
        for peer in Peer::BOTH {
            peer.run(work.name, true, None)?;
        }
        for turn in 1..=options.turns {
            for peer in Peer::BOTH {
                eprintln!("{}, turn {turn} of {}: {}", work.name, options.turns, peer.name());
                table.add(peer.run(work.name, options.short, None)?);
            }
        }
    }
    if options.cold {
        for turn in 1..=options.turns.min(2) {
            for peer in Peer::BOTH {
                eprintln!("start with nothing cached, turn {turn}: {}", peer.name());
                table.add(cost::cold_start(peer)?);
            }
        }
    }
    if options.wants("crates") {
        for peer in Peer::BOTH {
            table.add(cost::crates(peer)?);
        }
    }
    if options.build {
        for peer in Peer::BOTH {
            eprintln!("clean build: {}", peer.name());
            table.add(cost::clean_build(peer)?);
        }
    }
    print!("{table}");
    Ok(())
}

/// The folder of this package.
fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The cargo that runs this, or the one on the path.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(package());
    command
}
