//! The part `verify`: a training step of whole networks, each node against the f64 reference on its own inputs.

use crate::compile::merge;
use crate::harness;
use crate::networks::{Trainer, VERIFIED};
use crate::results::Results;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;
use wgrad::Error;

/// Writes the part.
pub fn run(results: &mut Results) -> Result<(), Error> {
    for work in VERIFIED {
        let mut row = work.json();
        let start = Instant::now();
        match Trainer::planned(harness::device(), work).and_then(|mut trainer| figures(&mut trainer)) {
            Ok(figures) => merge(&mut row, figures),
            Err(error) => {
                results.wrong(format!("{}: {error}", work.name()));
                row["error"] = error.to_string().into();
            }
        }
        row["seconds"] = start.elapsed().as_secs_f64().into();
        results.row(row);
    }
    Ok(())
}

/// Nodes, the largest error and the allowed one, by operator and variant. The step comes after a plain one, so that
/// momentum and running statistics are not at their initial values.
pub fn figures(trainer: &mut Trainer) -> Result<Value, Error> {
    trainer.session.step()?;
    trainer.write()?;
    let nodes = trainer.session.verify()?;
    let mut kinds: BTreeMap<(&str, &str), (usize, f64, f64)> = BTreeMap::new();
    for node in &nodes {
        let kind = kinds.entry((node.operator, node.variant)).or_default();
        *kind = (kind.0 + 1, kind.1.max(node.error), kind.2.max(node.tolerance));
    }
    let kinds: Vec<Value> = kinds
        .into_iter()
        .map(|((operator, variant), (nodes, error, tolerance))| {
            json!({
                "operator": operator,
                "variant": variant,
                "nodes": nodes,
                "error": error,
                "tolerance": tolerance,
            })
        })
        .collect();
    let nearest = |node: &&wgrad::session::Verified| node.error / node.tolerance.max(f64::MIN_POSITIVE);
    let worst = nodes.iter().max_by(|a, b| nearest(a).total_cmp(&nearest(b)));
    Ok(json!({
        "nodes": nodes.len(),
        "worst": worst.map(|node| json!({
            "node": node.node,
            "operator": node.operator,
            "variant": node.variant,
            "error": node.error,
            "tolerance": node.tolerance,
        })),
        "kinds": kinds,
    }))
}
