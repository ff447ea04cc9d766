//! Which cases show a variant an edge.
//!
//! A driver compiles a kernel for each shape, and that is nearly all the time that tests take. By default a variant
//! therefore leaves out cases that show it no new edge, if their table allows it ([`Case::by_edges`]). An edge is what a
//! kernel is made of or told:
//!
//! - the files that are joined, and with them every loader, store, epilogue and split of a sum;
//! - each constant of these in each [`class`] of numbers: sizes of one, tails of fours, sides past a tile;
//! - what no constant shows by itself: how attributes stand to each other, and what the numbers are. The table of cases
//!   names these.
//!
//! Programs for browsers have this file too. [`super::sweep`] says when nothing is left out.

use super::{Case, build};
use std::collections::{BTreeMap, BTreeSet};
use wgrad::op::Variant;
use wgrad::{Caps, Error, Plan};

/// For [`Case::by_edges`] where the text of kernels shows every edge.
pub const SHOWN: [&str; 0] = [];

/// The longest side of most tiles, and the constants that tiles divide: sides of a product, and rows of images.
const TILE: f64 = 64.0;
const TILED: [&str; 5] = ["M", "N", "K", "W", "OW"];

/// The kernels whose variants differ in the size of a tile alone, its longest side, and that of a band of tiles.
const PIPELINED: &str = "gemm_pipelined";
const COOPERATIVE: &str = "gemm_cooperative";
const SIDES: [f64; 2] = [128.0, 1024.0];

/// A run of a case: the number of the limits that it is planned for, and the variant.
pub type Run = (usize, Variant);

/// A case that may be left out, a run of it, and the edges that the run meets.
type Choice = (usize, Run, BTreeSet<String>);

/// What meets edges together: a variant, or those that are one kernel with tiles of several sizes. The size is part of
/// the edges that depend on it.
pub fn kin(variant: Variant) -> &'static str {
    match variant {
        _ if variant.is_in_f16() => COOPERATIVE,
        // Has a kernel of its own.
        _ if variant.name() == "tiled" => variant.name(),
        _ if variant.is_for_gpus() => PIPELINED,
        _ => variant.name(),
    }
}

/// The runs of each of these cases by default, planned for these limits, which each offer variants: of the cases that may
/// be left out, so few that each variant of an operator, or its [`kin`], meets every edge that it meets in all of them. The
/// case with the most new edges goes first, and of several the earliest.
pub fn fewest(
    cases: &[Case],
    limits: &[Caps],
    offered: impl Fn(&Case, &Caps) -> Vec<Variant>,
) -> Vec<Vec<Run>> {
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); cases.len()];
    let mut choices: BTreeMap<(&str, &str), Vec<Choice>> = BTreeMap::new();
    for (i, case) in cases.iter().enumerate() {
        for (at, caps) in limits.iter().enumerate() {
            let variants = offered(case, caps);
            if case.edges.is_none() {
                runs[i].extend(variants.into_iter().map(|variant| (at, variant)));
                continue;
            }
            for variant in variants {
                let edges =
                    edges(case, variant, caps).unwrap_or_else(|e| panic!("{} [{variant}]: {e}", case.name));
                let key = (case.operator.name(), kin(variant));
                choices.entry(key).or_default().push((i, (at, variant), edges));
            }
        }
    }
    for mut left in choices.into_values() {
        let mut met = BTreeSet::new();
        loop {
            let new = |(_, _, edges): &Choice| edges.difference(&met).count();
            let best = (0..left.len()).rev().max_by_key(|&at| new(&left[at]));
            let Some(best) = best.filter(|&best| new(&left[best]) > 0) else { break };
            let (case, run, edges) = left.remove(best);
            met.extend(edges);
            runs[case].push(run);
        }
    }
    runs
}

/// The edges that a case shows a variant: those that its table names, and those of its kernels' text.
///
/// # Errors
/// A case that can't be planned.
pub fn edges(case: &Case, variant: Variant, caps: &Caps) -> Result<BTreeSet<String>, Error> {
    let built = build(case)?;
    let plan = Plan::with_options(&built.graph, &built.outputs, caps, &case.options(variant))?;
    let mut edges: BTreeSet<String> = case.edges.iter().flatten().cloned().collect();
    for dispatch in plan.dispatches() {
        let (kernel, source) = (dispatch.kernel.name(), dispatch.kernel.source()?);
        let (constants, rest): (Vec<&str>, Vec<&str>) =
            source.lines().partition(|line| constant(line).is_some());
        if [PIPELINED, COOPERATIVE].contains(&kernel) {
            edges.extend(tile_edges(kernel, &source));
        }
        edges.insert(rest.join("\n"));
        for (name, value) in constants.into_iter().filter_map(constant) {
            edges.insert(format!("{kernel} {name}: {}", class(value)));
            let past = value > TILE && TILED.contains(&name);
            edges.extend(past.then(|| format!("{kernel} {name}: past a tile")));
        }
    }
    Ok(edges)
}

/// The edges that each size of tile has to meet by itself.
fn tile_edges(kernel: &str, source: &str) -> Vec<String> {
    let found: BTreeMap<&str, &str> = source.lines().filter_map(declared).collect();
    let tile =
        ["TILE_M", "TILE_N", "BUFFERS", "RHS_ALONG_K"].map(|name| found.get(name).copied().unwrap_or(""));
    let tile = tile.join(" ");
    let sides = ["M", "N", "K"].into_iter().filter_map(|name| Some((name, number(found.get(name)?)?)));
    let past = |(name, value): (&str, f64)| {
        let count = SIDES.iter().filter(|&&side| value > side).count();
        format!("{kernel} {tile}: {name} past {count} sides")
    };
    sides.map(past).collect()
}

/// Name and value of a constant, as they are written.
fn declared(line: &str) -> Option<(&str, &str)> {
    let (declared, value) = line.strip_prefix("const ")?.split_once(" = ")?;
    let (name, _) = declared.split_once(':')?;
    let (value, _) = value.split_once(';')?;
    Some((name, value))
}

fn number(value: &str) -> Option<f64> {
    let value = value.strip_prefix("i32(").and_then(|value| value.strip_suffix(')')).unwrap_or(value);
    value.trim_end_matches(['u', 'i', 'f']).parse().ok()
}

/// Name and value of a constant that is a number.
fn constant(line: &str) -> Option<(&str, f64)> {
    let (name, value) = declared(line)?;
    Some((name, number(value)?))
}

/// Numbers of one class are alike to kernels that take four elements at a time.
fn class(value: f64) -> &'static str {
    match value {
        ..0.0 => "negative",
        0.0 => "0",
        1.0 => "1",
        65_536.0.. => "large",
        _ if value % 4.0 == 0.0 => "fours",
        _ if value.fract() == 0.0 => "no fours",
        _ => "a fraction",
    }
}
