//! `wgrad plan`: how a step of a network would run, kernel by kernel, on an adapter of this machine or on a kind of adapter.

use crate::adapter::{self, limits};
use crate::model::Named;
use crate::out::{self, Outcome};
use crate::precision;
use clap::ValueEnum;
use serde_json::{Map, Value as Json, json};
use wgrad::op::AdapterKind;
use wgrad::{Caps, Mode, Plan};

/// Prints the plan of a network's step: kernels, memory, bytes moved
///
/// It is planned for an adapter of this machine, or by --kind for a kind of adapter, which needs no device. No weights are
/// read.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  wgrad plan --kind discrete resnet18\n  wgrad plan --train --batch 64 model.safetensors --json"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    named: Named,
    /// Plan a training step by SGD with momentum instead of the forward pass
    #[arg(long)]
    train: bool,
    #[command(flatten)]
    precision: precision::Wanted,
    /// Inputs of a step; 1 by default, or what an ONNX file fixes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Plan for a kind of adapter, with the limits that desktop drivers have at the least
    #[arg(long, value_name = "KIND", conflicts_with = "adapter")]
    kind: Option<Kind>,
    #[command(flatten)]
    adapter: adapter::Wanted,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Discrete,
    Integrated,
    Apple,
    Software,
}

impl Kind {
    /// WebGPU's defaults, and what every desktop driver offers beyond them.
    fn caps(self) -> Caps {
        let kind = match self {
            Kind::Discrete => AdapterKind::Discrete,
            Kind::Integrated => AdapterKind::Integrated,
            Kind::Apple => AdapterKind::Apple,
            Kind::Software => AdapterKind::Software,
        };
        let mut caps = Caps::webgpu_defaults(kind);
        (caps.max_storage_buffers, caps.max_binding_bytes, caps.max_buffer_bytes) = (16, 1 << 30, 1 << 30);
        if kind == AdapterKind::Software {
            (caps.subgroups, caps.subgroup_size) = (true, 8);
        }
        caps
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let model = arguments.named.read()?;
    let caps = match arguments.kind {
        // GPUs of these kinds have f16.
        Some(kind) => Caps { f16: arguments.precision.mixed, ..kind.caps() },
        None => arguments.adapter.open_for(arguments.precision)?.caps().clone(),
    };
    let batch = arguments.batch.map(|batch| batch as usize);
    let built = if arguments.train {
        model.build_training(batch, 1, arguments.precision)?.built
    } else {
        model.build(batch, 1, Mode::Eval)?
    };
    let plan = Plan::with_options(&built.graph, &built.outputs, &caps, &arguments.precision.options())?;
    if !arguments.json {
        return out::text(&plan.to_string());
    }
    let bytes = plan.device_bytes();
    let mut memory: Map<String, Json> =
        bytes.iter().map(|(kind, bytes)| (kind.name().to_owned(), json!(bytes))).collect();
    memory.insert("total".into(), json!(bytes.values().sum::<u64>()));
    memory.insert("least".into(), json!(plan.device_lower_bound()));
    let traffic = plan.traffic();
    out::json(&json!({
        "model": model.name,
        "mode": if arguments.train { "training" } else { "forward" },
        "precision": arguments.precision.name(),
        "batch": built.batch,
        "limits": limits(&caps),
        "groups": plan.groups().len(),
        "submits": plan.submits().len(),
        "dispatches": plan.dispatches().len(),
        "flops": plan.dispatches().iter().map(|dispatch| dispatch.flops).sum::<u64>(),
        "memory_bytes": memory,
        "traffic_bytes": {
            "read": traffic.read,
            "written": traffic.written,
            "least_read": traffic.least_read,
            "least_written": traffic.least_written,
            "uploaded": plan.uploaded_bytes(),
        },
        "nodes": nodes(&plan)?,
    }))
}

/// The nodes in order, with their kernels.
fn nodes(plan: &Plan) -> Outcome<Vec<Json>> {
    let row = |step: &wgrad::plan::Step| {
        let node = plan.graph().node(step.node)?;
        let dispatches = plan.dispatches()[step.dispatches.clone()].iter();
        let kernels: Vec<Json> = dispatches
            .map(|dispatch| {
                json!({ "kernel": dispatch.kernel.name(), "workgroups": dispatch.workgroups, "flops": dispatch.flops })
            })
            .collect();
        Ok(json!({
            "node": node.name,
            "operator": node.operator.name(),
            "variant": step.variant.name(),
            "why": step.why,
            "dispatches": kernels,
        }))
    };
    plan.steps().iter().map(row).collect()
}
