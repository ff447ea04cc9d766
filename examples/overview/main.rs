//! An overview of convolutional networks, measured: runs every experiment on the device, and writes one page with the
//! figures, what they show, and whether the measurements bear it out.
//!
//! Each section has a file of its own. `lab` has what they share, `charts` draws, and `page` writes the HTML.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

mod bagging;
mod charts;
mod depth;
#[path = "../networks/digits.rs"]
mod digits;
mod edges;
mod filters;
mod lab;
mod landscape;
mod learned;
mod masks;
mod norm;
mod padding;
mod page;
#[path = "../panels/mod.rs"]
mod panels;
mod parameters;
mod pooling;
mod signal;
mod sizes;

use lab::Lab;
use page::Section;
use panels::{Outcome, say};
use std::path::PathBuf;
use std::time::Instant;
use wgrad::Device;
use wgrad::data::{Images, Split};
use wgrad::file::{check_writable, printable_path};

const HELP: &str = "\
usage: overview [DIR] [--quick] [--data DATA]
  DIR          where the page goes, as index.html with pictures beside it (default overview)
  --quick      smaller experiments, in seconds
  --data DATA  MNIST's files (default examples/data/mnist)
";

/// The sections, in the order of the page.
const SECTIONS: [fn(&Lab) -> Outcome<Section>; 10] = [
    signal::run,
    edges::run,
    pooling::run,
    padding::run,
    sizes::run,
    norm::run,
    depth::run,
    filters::run,
    parameters::run,
    bagging::run,
];

fn main() -> std::process::ExitCode {
    panels::end(run())
}

fn run() -> Outcome<()> {
    let Some(options) = options()? else {
        say!("{}", HELP.trim_end());
        return Ok(());
    };
    let start = Instant::now();
    let index = options.folder.join("index.html");
    std::fs::create_dir_all(&options.folder).map_err(|error| {
        format!("{}: {error}; name a folder that can be written", printable_path(&options.folder))
    })?;
    // Report an unusable path before the long work, not after it.
    check_writable(&index)?;
    let train = Images::load(&options.data, Split::Train)?;
    let test = Images::load(&options.data, Split::Test)?;
    for (data, name) in [(&train, "training"), (&test, "test")] {
        if data.len() < 100
            || [data.channels(), data.rows(), data.columns(), data.classes()] != [1, 28, 28, 10]
        {
            let folder = printable_path(&options.data);
            return Err(format!("{folder}: the {name} data is {data}; name MNIST's folder by --data").into());
        }
    }
    let device = Device::open()?;
    say!("{}", device.summary());
    let adapter = device.summary().name.clone();
    let lab = Lab { device, folder: options.folder, quick: options.quick, train, test };
    let mut sections = Vec::new();
    for run in SECTIONS {
        let start = Instant::now();
        let section = run(&lab)?;
        let seconds = start.elapsed().as_secs_f64();
        let held = section.claims.iter().filter(|claim| claim.1).count();
        say!("{:5.1} s  {}: {held} of {} claims hold", seconds, section.title, section.claims.len());
        for (claim, _) in section.claims.iter().filter(|claim| !claim.1) {
            say!("         does not hold: {claim}");
        }
        sections.push((section, seconds));
    }
    page::write(&index, &adapter, &sections)?;
    say!("{:5.1} s  in all; {} is written", start.elapsed().as_secs_f64(), printable_path(&index));
    Ok(())
}

struct Options {
    folder: PathBuf,
    data: PathBuf,
    quick: bool,
}

/// `None` if the user asks for help.
fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { folder: "overview".into(), data: "examples/data/mnist".into(), quick: false };
    let (mut parser, mut named) = (lexopt::Parser::from_env(), false);
    while let Some(argument) = parser.next()? {
        match argument {
            Value(folder) if !named => (options.folder, named) = (folder.into(), true),
            Long("quick") => options.quick = true,
            Long("data") => options.data = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}
