//! `wgrad adapters`: the adapters of this machine, with the limits that decide what fits. Opening one for work is in
//! `adapter.rs`.

use crate::adapter::{described, limits};
use crate::out::{self, Outcome, fail};
use serde_json::{Value, json};
use wgrad::device::{self, AdapterSummary};
use wgrad::file::printable;
use wgrad::{Caps, Device, DeviceOptions};

/// Lists the adapters of this machine
///
/// Each is opened for a moment, because its limits show only then.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  wgrad adapters")]
pub(crate) struct Arguments {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let all = device::adapters();
    if all.is_empty() {
        return fail(
            "no usable GPU adapter: none was found; install a graphics driver, or a software one (Debian, Ubuntu: apt-get install mesa-vulkan-drivers)",
        );
    }
    let opened: Vec<_> = all.iter().map(|adapter| (adapter, caps(adapter))).collect();
    if arguments.json {
        let rows: Vec<Value> = opened.iter().map(|(adapter, caps)| row(adapter, caps)).collect();
        return out::json(&json!({ "adapters": rows }));
    }
    let lines: Vec<String> = opened.iter().map(|(adapter, caps)| line(adapter, caps)).collect();
    out::text(&lines.concat())
}

/// The limits of an adapter, or why it can't be opened.
fn caps(adapter: &AdapterSummary) -> wgrad::Result<Caps> {
    let options =
        DeviceOptions::default().adapter_index(adapter.index.unwrap_or_default()).cooperative_matrix();
    Ok(Device::open_with(&options)?.caps().clone())
}

fn row(adapter: &AdapterSummary, caps: &wgrad::Result<Caps>) -> Value {
    let mut row = described(adapter);
    match caps {
        Ok(caps) => row["limits"] = limits(caps),
        Err(error) => row["error"] = error.to_string().into(),
    }
    row
}

fn line(adapter: &AdapterSummary, caps: &wgrad::Result<Caps>) -> String {
    let [name, driver] = [&adapter.name, &adapter.driver].map(|text| printable(text));
    let head = format!(
        "#{} {} {name} ({}, {driver})\n",
        adapter.index.unwrap_or_default(),
        adapter.id,
        adapter.backend
    );
    let caps = match caps {
        Ok(caps) => caps,
        Err(error) => return format!("{head}   can't be opened: {error}\n"),
    };
    let has = |has: bool| if has { "yes" } else { "no" };
    let subgroups = match (caps.subgroups, caps.subgroup_size) {
        (false, _) => "no".to_owned(),
        (true, 0) => "of varying size".to_owned(),
        (true, size) => format!("of {size}"),
    };
    let matrices =
        caps.cooperative_matrix.map_or("no".to_owned(), |matrix| format!("{0} x {0}", matrix.side));
    format!(
        "{head}   {}, binds {} MiB, buffers up to {} MiB, {} buffers a kernel, {} KiB of workgroup memory\n   subgroups {subgroups}, f16 {}, cooperative matrices {matrices}\n",
        caps.kind,
        caps.max_binding_bytes >> 20,
        caps.max_buffer_bytes >> 20,
        caps.max_storage_buffers,
        caps.max_workgroup_bytes >> 10,
        has(caps.f16),
    )
}
