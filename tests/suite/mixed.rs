//! Mixed precision: every operator with f16 for what it reads and stores, the bytes that it saves, and training.

use crate::cases;
use crate::harness::{self, Built, Case, Prepared, device, sweep};
use std::collections::BTreeSet;
use wgrad::op::Variant;
use wgrad::ops::elementwise::Copy;
use wgrad::plan::{Fusion, Precision};
use wgrad::{DType, PlanOptions};

/// Plans with f16 for what lies between nodes, and with a node for each copy.
pub fn options(operator: &str, variant: Variant) -> PlanOptions {
    PlanOptions::default().variant(operator, variant).without(Fusion::Elementwise).precision(Precision::Mixed)
}

/// The graph of a case between copies, so that what the operator reads and stores is neither an input nor an output.
pub fn between_copies(case: &Case) -> Built {
    harness::build_between(case, |graph, value| graph.apply1(Copy, &[value]))
        .unwrap_or_else(|e| panic!("{}: {e}", case.name))
}

/// Each operator's first case for each variant, and in the sweep all: the reference rounds what is kept in f16.
#[test]
fn every_operator_agrees_with_the_reference_in_f16() {
    let (mut seen, mut halved, mut failures) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (_, cases) in cases::all() {
        for case in &cases {
            for variant in case.variants() {
                let name = case.operator.name();
                if !seen.insert((name, variant.name())) && !sweep::sweeping() {
                    continue;
                }
                let label = format!("{name} {variant}: {}", case.name);
                let prepared =
                    Prepared::of(between_copies(case), case, &options(name, variant), device().caps());
                let mut session = prepared.unwrap_or_else(|e| panic!("{label}: {e}")).session;
                if name == "adaptive_avg_pool2d" { println!("{}", session.plan()); }
                if let Err(e) = session.verify() {
                    failures.push(format!("{label}: {e}"));
                }
                let plan = session.plan();
                let node = plan.graph().nodes().find(|(_, node)| node.operator.name() == name);
                let (_, node) = node.unwrap_or_else(|| panic!("{label}: the plan has no such node"));
                let touched = node.inputs.iter().chain(&node.outputs);
                if touched.into_iter().any(|&value| plan.graph().value(value).is_ok_and(|info| info.ty.dtype == DType::F16)) {
                    halved.insert(name);
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    let all: BTreeSet<&str> = seen.iter().map(|&(name, _)| name).collect();
    println!("in f32 alone: {:?}\nhalved {halved:?}", all.difference(&halved).collect::<Vec<_>>());
}
