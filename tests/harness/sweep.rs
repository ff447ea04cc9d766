//! What runs by default, and what in the full sweep. [`edges`] chooses the cases that run by default.

use super::{Case, bits, device, edges};
use std::collections::BTreeMap;
use wgrad::op::Variant;

/// Environment variable that, if set, makes every variant run every case.
pub const VARIABLE: &str = "WGRAD_SWEEP";

/// Whether all cases run. Where bits are compared, those of all cases are.
pub fn sweeping() -> bool {
    std::env::var_os(VARIABLE).is_some() || std::env::var_os(bits::VARIABLE).is_some()
}

/// How many generated cases run: `few`, or `all` in the sweep.
pub fn count(few: usize, all: usize) -> usize {
    if sweeping() { all } else { few }
}

/// One of `all`, the one whose turn it is, or all in the sweep.
pub fn turn<T: Copy>(all: &[T], turn: usize) -> Vec<T> {
    if sweeping() { all.to_vec() } else { vec![all[turn % all.len()]] }
}

/// The variants that run each of these cases by default.
pub fn fewest(cases: &[Case]) -> Vec<Vec<Variant>> {
    let runs = edges::fewest(cases, std::slice::from_ref(device().caps()), Case::variants_for);
    runs.into_iter().map(|runs| runs.into_iter().map(|(_, variant)| variant).collect()).collect()
}

/// The variants that run each of these cases.
pub fn runs(cases: &[Case]) -> Vec<Vec<Variant>> {
    if sweeping() { cases.iter().map(Case::variants).collect() } else { fewest(cases) }
}

/// One variant of each of these cases, those of an operator in turn, or all in the sweep.
pub fn in_turn(cases: &[Case]) -> Vec<Vec<Variant>> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let one = |case: &Case| {
        let number = times.entry(case.operator.name()).or_default();
        *number += 1;
        turn(&case.variants(), *number - 1)
    };
    cases.iter().map(one).collect()
}
