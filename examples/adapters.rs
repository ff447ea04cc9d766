//! Lists the adapters that a training run can take, and tries to open the default one.
//! Exits with 1 where there is none, so that scripts can ask.

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
