//! The plans of a case that a browser may make: those for this adapter, and those for GPUs, which a browser does not
//! describe. Kernels for GPUs run here too.

use crate::harness::edges::{self, Run};
use crate::harness::{Case, build, halves};
use std::collections::BTreeSet;
use wgrad::op::{AdapterKind, Variant};
use wgrad::{Caps, Error, Plan, PlanOptions};

/// How a case is planned.
pub struct Planned {
    pub options: PlanOptions,
    pub caps: Caps,
    pub variant: Variant,
    /// Whether it is what the plan chooses by itself.
    chosen: bool,
    /// Whether it is in f16 ([`halves`]).
    pub halves: bool,
}

impl Planned {
    /// The variant with its operator.
    pub fn variant(&self, case: &Case) -> String {
        format!("{} [{}]", case.operator.name(), self.variant)
    }

    /// The variant, and what it was planned for.
    pub fn label(&self, case: &Case) -> String {
        let chosen = if self.chosen { ", the plan's choice" } else { "" };
        let chosen = if self.halves { ", in f16" } else { chosen };
        let (kind, bytes) = (self.caps.kind, self.caps.max_workgroup_bytes);
        format!("{} for {kind} adapters with workgroups of {bytes} bytes{chosen}:", self.variant(case))
    }
}

/// The limits that plans in browsers are made for: this adapter's; a GPU's with the same limits; a GPU's with the least
/// limits that a browser offers.
fn limits(own: &Caps) -> [Caps; 3] {
    let gpu = Caps { kind: AdapterKind::Integrated, ..own.clone() };
    [own.clone(), gpu, Caps::webgpu_defaults(AdapterKind::Integrated)]
}

/// The plans of each case in f16: the first of each variant, in the sweep all.
pub fn in_f16(cases: &[Case], own: &Caps, sweep: bool) -> Vec<Vec<Planned>> {
    let mut plans: Vec<Vec<Planned>> = cases.iter().map(|_| Vec::new()).collect();
    for (at, variant) in halves::runs(cases, own, sweep) {
        let options = halves::options(cases[at].operator.name(), variant);
        plans[at].push(Planned { options, caps: own.clone(), variant, chosen: false, halves: true });
    }
    plans
}

/// What is launched: kernels' texts and numbers of workgroups.
type Launches = Vec<(String, [u32; 3])>;

/// The plans of each case. In the sweep they are what the plan chooses by itself, and all variants, for each of the
/// limits. By default cases are left out that show a variant no new edge, and only plans for GPUs have the variants that
/// no adapter's plan chooses by itself. Plans that launch the same are one.
pub fn of(cases: &[Case], own: &Caps, sweep: bool) -> Result<Vec<Vec<Planned>>, Error> {
    let limits = limits(own);
    let runs: Vec<Vec<Run>> = if sweep {
        let all = |case: &Case| {
            let each = limits.iter().enumerate();
            each.flat_map(|(at, caps)| case.variants_for(caps).into_iter().map(move |v| (at, v))).collect()
        };
        cases.iter().map(all).collect()
    } else {
        edges::fewest(cases, &limits, possible)
    };
    let plans = cases.iter().zip(runs).map(|(case, runs)| {
        let choices = (0..limits.len()).filter(|_| sweep || case.edges.is_none()).map(|at| (at, None));
        let named = runs.into_iter().map(|(at, variant)| (at, Some(variant)));
        let (mut known, mut plans) = (BTreeSet::new(), Vec::new());
        for (at, wanted) in choices.chain(named) {
            let (planned, launches) = plan(case, &limits[at], wanted)?;
            if known.insert(launches) {
                plans.push(planned);
            }
        }
        Ok(plans)
    });
    plans.collect()
}

/// The variants that plans for these limits can choose by themselves: preferred ones, or the first where none of them can
/// compute the shape. For a GPU all, because a program may name any.
fn possible(case: &Case, caps: &Caps) -> Vec<Variant> {
    let mut offered = case.variants_for(caps);
    let kinds = case.kinds();
    let preference = case.operator.preference(&kinds.iter().collect::<Vec<_>>());
    let is_preferred = |variant: &Variant| preference.variants(caps.kind).contains(variant);
    if !caps.kind.is_software() {
        return offered;
    }
    match offered.iter().any(is_preferred) {
        true => offered.retain(is_preferred),
        false => offered.truncate(1),
    }
    offered
}

/// Plans a case with this variant, or the one that the plan chooses.
fn plan(case: &Case, caps: &Caps, wanted: Option<Variant>) -> Result<(Planned, Launches), Error> {
    let mut options = PlanOptions::default();
    if let Some(variant) = wanted {
        options = options.variant(case.operator.name(), variant);
    }
    let built = build(case)?;
    let plan = Plan::with_options(&built.graph, &built.outputs, caps, &options)?;
    let launches = plan.dispatches().iter().map(|d| Ok((d.kernel.source()?, d.workgroups)));
    let launches = launches.collect::<Result<_, Error>>()?;
    let variant = plan.steps().last().map_or(Variant::DEFAULT, |step| step.variant);
    Ok((Planned { options, caps: caps.clone(), variant, chosen: wanted.is_none(), halves: false }, launches))
}
