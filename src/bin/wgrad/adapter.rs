//! The option `--adapter`, and the device that it opens.

use crate::out::Outcome;
use crate::precision;
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use wgrad::device::AdapterSummary;
use wgrad::{Caps, Device, DeviceOptions};

/// Which adapter to open.
#[derive(clap::Args)]
pub(crate) struct Wanted {
    /// The adapter: its number (#1), its id, or a part of its name; `wgrad adapters` lists them. By default it is the one in
    /// WGRAD_ADAPTER, or the first
    #[arg(long, value_name = "ADAPTER")]
    pub(crate) adapter: Option<String>,
}

impl Wanted {
    /// Opens it. On a terminal it tells how far kernels are compiled, if that takes long.
    pub(crate) fn open(&self) -> Outcome<Device> {
        self.open_with(DeviceOptions::default())
    }

    /// Opens it for steps of this precision.
    pub(crate) fn open_for(&self, precision: precision::Wanted) -> Outcome<Device> {
        let options = DeviceOptions::default();
        self.open_with(if precision.mixed { options.cooperative_matrix() } else { options })
    }

    fn open_with(&self, mut options: DeviceOptions) -> Outcome<Device> {
        if let Some(wanted) = &self.adapter {
            options = options.adapter(wanted);
        }
        if std::io::stderr().is_terminal() {
            options = options.compiling(|compiling| {
                let end = if compiling.done == compiling.total { "\n" } else { "" };
                let _ = write!(std::io::stderr(), "\r{compiling}{end}");
            });
        }
        Ok(Device::open_with(&options)?)
    }
}

/// An adapter in JSON.
pub(crate) fn described(summary: &AdapterSummary) -> Value {
    json!({
        "index": summary.index,
        "id": summary.id,
        "name": summary.name,
        "driver": summary.driver,
        "backend": summary.backend,
        "software": summary.software,
    })
}

/// An adapter's limits in JSON.
pub(crate) fn limits(caps: &Caps) -> Value {
    json!({
        "kind": caps.kind.to_string(),
        "max_binding_bytes": caps.max_binding_bytes,
        "max_buffer_bytes": caps.max_buffer_bytes,
        "max_storage_buffers": caps.max_storage_buffers,
        "max_workgroup_bytes": caps.max_workgroup_bytes,
        "max_invocations": caps.max_invocations,
        "max_workgroups": caps.max_workgroups,
        "subgroups": caps.subgroups,
        "subgroup_size": caps.subgroup_size,
        "f16": caps.f16,
        "cooperative_matrix": caps.cooperative_matrix.map(|matrix| matrix.side),
    })
}
