//! Lists the adapters of this machine and opens the default one. Exits with 1 if there is none, so that
//! scripts can check.

#[path = "help/mod.rs"]
mod help;

use std::process::ExitCode;
use wgrad::{Device, device};

const HELP: &str = "\
usage: adapters
lists the adapters of this machine and opens the default one; exits with 1 if there is none
";

fn main() -> ExitCode {
    help::answer(HELP);
    for adapter in device::adapters() {
        println!("#{} {} {adapter}", adapter.index.unwrap_or_default(), adapter.id);
    }
    match Device::open() {
        Ok(device) => {
            println!("default: {}", device.summary().label());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
