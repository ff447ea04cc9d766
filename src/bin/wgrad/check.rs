//! `wgrad check`: every operator of a network on an adapter, compared with its f64 reference (`Session::verify_all`).

use crate::adapter::{self, described};
use crate::model::{Named, write};
use crate::out::{self, Failure, Outcome};
use crate::precision;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use wgrad::file::printable;
use wgrad::session::Verified;
use wgrad::{Plan, Session, Weights};

/// Compares every operator of a network with its f64 reference
///
/// Each kernel gets the inputs that it has on the adapter, and so does its reference, which is plain code on one processor
/// core: take small inputs. The exit status is 1 if an error is beyond its tolerance.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  wgrad check lenet5\n  wgrad check --train --input 3x32x32 --classes 10 resnet18"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    named: Named,
    /// Check a training step by SGD with momentum instead of the forward pass
    #[arg(long)]
    train: bool,
    #[command(flatten)]
    precision: precision::Wanted,
    /// Inputs of a step; 2 by default, or what an ONNX file fixes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    #[command(flatten)]
    adapter: adapter::Wanted,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let model = arguments.named.read()?;
    let device = arguments.adapter.open_for(arguments.precision)?;
    let batch = arguments.batch.map(|batch| batch as usize);
    let (built, filled) = model.build_filled(arguments.train, batch, 2, arguments.precision)?;
    let weights = Weights::init(&device, &built.graph, 0)?;
    model.load(&built, &weights)?;
    let plan =
        Plan::with_options(&built.graph, &built.outputs, device.caps(), &arguments.precision.options())?;
    let mut session = Session::new(&device, plan, &weights)?;
    write(&mut session, &filled)?;
    let mut nodes = session.verify_all()?;
    nodes.sort_by(|a, b| share(b).total_cmp(&share(a)));
    let beyond = nodes.iter().filter(|node| !node.agrees()).count();
    let mode = if arguments.train { "training" } else { "forward" };
    if arguments.json {
        out::json(&json!({
            "adapter": described(device.summary()),
            "model": model.name,
            "mode": mode,
            "precision": arguments.precision.name(),
            "batch": built.batch,
            "agrees": beyond == 0,
            "beyond": beyond,
            "nodes": nodes.iter().map(row).collect::<Vec<_>>(),
        }))?;
    } else {
        let head = format!(
            "adapter: {}\n{}: {mode}{}, batch {}\n",
            device.summary(),
            model.name,
            arguments.precision.words(),
            built.batch
        );
        out::text(&(head + &table(&nodes, beyond)))?;
    }
    if beyond == 0 { Ok(()) } else { Err(Failure::Found) }
}

/// A node's error over its tolerance; 1 is the most allowed. Integers have to be equal, and have no tolerance.
fn share(node: &Verified) -> f64 {
    if node.error == 0.0 { 0.0 } else { node.error / node.tolerance }
}

/// Infinite errors are null.
fn row(node: &Verified) -> Json {
    json!({
        "operator": node.operator,
        "node": node.node,
        "variant": node.variant,
        "error": node.error,
        "tolerance": node.tolerance,
        "agrees": node.agrees(),
    })
}

/// Nodes beyond their tolerance, then a line for each operator and variant, the worst first. `nodes` are sorted.
fn table(nodes: &[Verified], beyond: usize) -> String {
    let mut text = String::new();
    for node in nodes.iter().filter(|node| !node.agrees()) {
        let _ = writeln!(
            text,
            "BEYOND: {} \"{}\" ({}): error {:.1e}, tolerance {:.1e}",
            node.operator,
            printable(&node.node),
            node.variant,
            node.error,
            node.tolerance
        );
    }
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    nodes.iter().for_each(|node| *counts.entry((node.operator, node.variant)).or_default() += 1);
    let _ = writeln!(
        text,
        "  {:<26} {:<22} {:>5} {:>9} {:>10}",
        "operator", "variant", "nodes", "error", "tolerance"
    );
    for node in nodes {
        // The first of an operator and variant is its worst.
        if let Some(count) = counts.remove(&(node.operator, node.variant)) {
            let _ = writeln!(
                text,
                "  {:<26} {:<22} {count:>5} {:>9.1e} {:>10.1e}",
                node.operator, node.variant, node.error, node.tolerance
            );
        }
    }
    let _ = match beyond {
        0 => writeln!(text, "{} nodes agree with the reference", nodes.len()),
        _ => writeln!(text, "{beyond} of {} nodes are beyond their tolerance", nodes.len()),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_nodes_are_a_table_too() {
        assert_eq!(table(&[], 0).lines().last(), Some("0 nodes agree with the reference"));
    }
}
