//! What a browser can have of the tests' harness, and the page's device.

#[path = "../../../harness/begin.rs"]
pub mod begin;
#[path = "../../../harness/case.rs"]
pub mod case;
#[path = "../../../harness/edges.rs"]
pub mod edges;
#[path = "../../../harness/halves.rs"]
pub mod halves;
#[path = "../../../harness/runner.rs"]
pub mod runner;

#[path = "../../../../examples/networks/digits.rs"]
pub mod digits;
#[path = "../../../../examples/networks/training.rs"]
pub mod training;

pub use case::{Built, Case, array, build, floats, labels, numbers, scaled};
pub use runner::Prepared;

use std::cell::Cell;
use wgrad::{Device, DeviceOptions, Error};

thread_local! {
    static DEVICE: Cell<Option<&'static Device>> = const { Cell::new(None) };
}

/// Opens a device, the page's from now on.
pub async fn open() -> Result<&'static Device, Error> {
    let device: &Device = Box::leak(Box::new(Device::open_async(&DeviceOptions::default()).await?));
    DEVICE.set(Some(device));
    Ok(device)
}

/// The page's device.
pub fn device() -> &'static Device {
    DEVICE.get().expect("a table opens it first")
}
