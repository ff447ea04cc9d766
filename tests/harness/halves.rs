//! Cases in f16: plans of mixed precision, where the operator reads and stores what copies made.
//!
//! Programs for browsers have this file too.

use super::begin::Begin;
use super::case::build_between;
use super::{Built, Case, Prepared};
use std::collections::BTreeSet;
use wgrad::op::Variant;
use wgrad::plan::{Fusion, Precision};
use wgrad::{Caps, DType, Error, PlanOptions};

/// Plans with f16 for what lies between nodes, and with a node for each copy.
pub fn options(operator: &str, variant: Variant) -> PlanOptions {
    PlanOptions::default().variant(operator, variant).without(Fusion::Elementwise).precision(Precision::Mixed)
}

/// The graph of a case between copies, so that what the operator reads and stores is neither an input nor an output.
pub fn between_copies(case: &Case) -> Built {
    build_between(case, |graph, value| graph.apply1(Begin, &[value]))
        .unwrap_or_else(|e| panic!("{}: {e}", case.name))
}

/// The runs of a family's cases, each by its number: for every variant of an operator the first case of a tensor of several
/// dimensions, or all cases.
pub fn runs(cases: &[Case], caps: &Caps, all: bool) -> Vec<(usize, Variant)> {
    let (mut seen, mut runs) = (BTreeSet::new(), Vec::new());
    for (at, case) in cases.iter().enumerate() {
        let wide = is_wide(case);
        let is_new = |variant: &Variant| wide && seen.insert((case.operator.name(), variant.name()));
        let mut variants = case.variants_for(caps);
        if !all {
            variants = variants.into_iter().filter(is_new).collect();
        }
        runs.extend(variants.into_iter().map(|variant| (at, variant)));
    }
    runs
}

fn is_wide(case: &Case) -> bool {
    let kinds = case.kinds();
    let made = case.operator.infer(&kinds.iter().collect::<Vec<_>>()).expect("the case is valid");
    kinds.iter().chain(&made).any(|ty| ty.dtype == DType::F32 && ty.shape.len() > 1)
}

/// A case between copies in a session.
pub fn prepare(case: &Case, variant: Variant, caps: &Caps) -> Result<Prepared, Error> {
    Prepared::of(between_copies(case), case, &options(case.operator.name(), variant), caps)
}
