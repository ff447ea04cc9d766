//! Lists the adapters of this machine and opens the default one. Exits with 1 if there is none, so that
//! scripts can check.

use std::process::ExitCode;
use wgrad::{Device, device};

fn main() -> ExitCode {
    for adapter in device::adapters() {
        println!("{adapter}");
    }
    match Device::open() {
        Ok(device) => {
            println!("default: {}", device.summary().name);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
