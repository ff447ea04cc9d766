//! The time that dispatches could take on a slow GPU, and what follows from it: drivers end work that takes too long
//! (Windows after two seconds), so long dispatches are split, and long steps are submitted in parts.
//!
//! Estimates are pessimistic. An estimate that is too long costs a submission more, one that is too short the device.

use super::{Dispatch, PlanOptions, Time};
use crate::error::{Error, Result};
use crate::graph::{Graph, Node};
use crate::op::{AdapterKind, Caps, Draft, Operand, run_bytes};
use crate::shader::parts;
use std::ops::Range;
use std::time::Duration;

/// What a submission may take by the estimate, unless the user says otherwise: half of the shortest limit of a driver.
const LONGEST: Duration = Duration::from_secs(1);

/// Operations of one iteration of a loop in one invocation: some arithmetic, and loads that wait.
const PER_ITERATION: f64 = 32.0;

/// Invocations of a workgroup at the most.
const INVOCATIONS: f64 = 256.0;

/// A part of a step that is submitted by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Submit {
    /// Its part of [`Plan::dispatches`](super::Plan::dispatches).
    pub dispatches: Range<usize>,
    /// The time that it could take on a slow adapter of the plan's kind.
    pub longest: Duration,
}

/// Operations and bytes per second that the slowest adapters of a kind reach: a fifth of the peaks of a discrete card of
/// 2014 with slow memory (GeForce GT 730: 700 GFLOP/s, 14 to 40 GB/s), of a processor's graphics of 2013 with one
/// channel of memory, and of Apple's M1. A software adapter has no limit to run into.
fn rates(kind: AdapterKind) -> Option<(f64, f64)> {
    match kind {
        AdapterKind::Discrete => Some((100e9, 5e9)),
        AdapterKind::Integrated => Some((40e9, 2e9)),
        AdapterKind::Apple => Some((400e9, 10e9)),
        AdapterKind::Software | AdapterKind::SwiftShader => None,
    }
}

/// What a submission may take; nothing limits it if it is `None`.
pub(super) fn longest(options: &PlanOptions, kind: AdapterKind) -> Option<Duration> {
    options.longest_submit.or_else(|| rates(kind).map(|_| LONGEST))
}

/// Work of a dispatch.
struct Work {
    workgroups: u64,
    iterations: u64,
    flops: u64,
    bytes: u64,
}

impl Work {
    fn seconds(&self, kind: AdapterKind) -> f64 {
        // A limit that the user sets holds on a software adapter too, as if it were a processor's graphics.
        let (operations, bytes) =
            rates(kind).or_else(|| rates(AdapterKind::Integrated)).expect("it is a GPU's kind");
        let looped = self.workgroups as f64 * INVOCATIONS * self.iterations as f64 * PER_ITERATION;
        (self.flops as f64 + looped) / operations + self.bytes as f64 / bytes
    }
}

/// Splits dispatches of a node that could take longer than a submission may. A part is the same kernel from another
/// workgroup on.
///
/// # Errors
/// A dispatch that can't be split so far that each part is short enough.
pub(super) fn split(
    graph: &Graph,
    node: &Node,
    drafts: &mut Vec<Draft>,
    temporaries: &[u64],
    caps: &Caps,
    longest: Option<Duration>,
) -> Result<()> {
    let Some(longest) = longest else { return Ok(()) };
    let bytes_of = |operand: &Operand| match operand {
        Operand::Value(value) => graph.info(*value).ty.bytes(),
        Operand::Temporary(number) => temporaries[*number],
        Operand::Run(values) => run_bytes(graph, values),
        Operand::Count(_) => 4,
    };
    let mut short = Vec::with_capacity(drafts.len());
    for draft in drafts.drain(..) {
        let work = Work {
            workgroups: draft.workgroups,
            iterations: draft.kernel.max_iterations(),
            flops: draft.flops,
            bytes: draft.operands.iter().map(bytes_of).sum(),
        };
        let seconds = work.seconds(caps.kind);
        let count = (seconds / longest.as_secs_f64()).ceil();
        if count.is_nan() || count <= 1.0 {
            short.push(draft);
            continue;
        }
        if count > draft.workgroups as f64 || !draft.kernel.has(&parts::group) {
            return Err(Error::Limit {
                operator: node.operator.name().to_owned(),
                node: node.name.clone(),
                message: format!(
                    "kernel {} could take {} on a slow {} adapter and can't be split into parts of {}, which is what a submission may take; choose another variant, make the layer smaller, or allow longer submissions with PlanOptions::longest_submit",
                    draft.kernel.name(),
                    Time(seconds),
                    caps.kind,
                    Time(longest.as_secs_f64())
                ),
                largest_batch: None,
            });
        }
        short.extend(parts_of(&draft, count as u64, caps.max_workgroups));
    }
    *drafts = short;
    Ok(())
}

/// Cuts a dispatch into about `count` parts. All but the last have exactly as many workgroups as they are launched with,
/// because a workgroup past a part's end would be the next part's first.
fn parts_of(draft: &Draft, count: u64, most: u32) -> Vec<Draft> {
    let most = u64::from(most.max(1));
    let wanted = draft.workgroups.div_ceil(count);
    let rows = wanted.div_ceil(most);
    let each = if rows <= most { wanted.div_ceil(rows) * rows } else { most * most };
    let mut parts = Vec::new();
    let mut first = 0;
    while first < draft.workgroups {
        let workgroups = each.min(draft.workgroups - first);
        let kernel = match u32::try_from(first) {
            Ok(0) => draft.kernel.clone(),
            // Kernels count workgroups in 32 bits, and so do the limits.
            first => draft.kernel.clone().starting_at(first.unwrap_or(u32::MAX)),
        };
        let share =
            |whole: u64| (u128::from(whole) * u128::from(workgroups) / u128::from(draft.workgroups)) as u64;
        parts.push(Draft { kernel, operands: draft.operands.clone(), workgroups, flops: share(draft.flops) });
        first += workgroups;
    }
    parts
}

/// Cuts dispatches into submissions that take no longer than one may.
pub(super) fn submits(dispatches: &[Dispatch], kind: AdapterKind, longest: Option<Duration>) -> Vec<Submit> {
    let mut submits = vec![Submit { dispatches: 0..0, longest: Duration::ZERO }];
    let limit = longest.unwrap_or(Duration::MAX);
    for (i, dispatch) in dispatches.iter().enumerate() {
        let work = Work {
            workgroups: dispatch.workgroups.iter().map(|&n| u64::from(n)).fold(1, u64::saturating_mul),
            iterations: dispatch.kernel.max_iterations(),
            flops: dispatch.flops,
            bytes: dispatch.bindings.iter().map(|binding| binding.place.bytes()).sum(),
        };
        let takes = Duration::try_from_secs_f64(work.seconds(kind)).unwrap_or(Duration::MAX).min(limit);
        match submits.last_mut() {
            Some(open) if open.dispatches.is_empty() || open.longest.saturating_add(takes) <= limit => {
                open.dispatches.end = i + 1;
                open.longest = open.longest.saturating_add(takes);
            }
            _ => submits.push(Submit { dispatches: i..i + 1, longest: takes }),
        }
    }
    submits
}
