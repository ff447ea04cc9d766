//! Sums in parts. If a result has more terms than one invocation may loop over, several invocations make a part each,
//! and the parts are added in order. Operators say how to make a part. This file decides how many there are, and has
//! the kernel that adds them.

use crate::error::Result;
use crate::op::occupancy;
use crate::op::{LowerContext, MAX_ITERATIONS, Operand};
use crate::shader::{self, Kernel};

/// In all kernels, the terms that are added before they join a sum.
pub(super) const STRETCH: u64 = 32;

/// Iterations allowed for the loop over a part. The rest is for the kernel's other loops.
const MOST: u64 = MAX_ITERATIONS / 2;

/// Iterations of a loop over stretches with a loop over their terms, `terms` in all. Each term takes `each` more.
pub(super) fn in_stretches(terms: u64, each: u64) -> u64 {
    terms.saturating_mul(1 + each).saturating_add(terms.div_ceil(STRETCH)).saturating_add(1)
}

/// The division of a result's terms into parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Parts {
    /// Parts of each result.
    pub count: usize,
    /// The most terms of a part.
    pub length: usize,
    /// Loop iterations of the invocation that makes a part, in stretches.
    pub iterations: u64,
}

impl Parts {
    /// Parts for `results` results of `terms` terms, where each term takes `each` iterations in addition to its own.
    /// With few results there are as many parts as terms in a part, so neither sum is long. With enough results to
    /// keep the adapter busy, parts are as long as allowed.
    pub(super) fn new(results: usize, terms: usize, each: u64) -> Parts {
        let terms = terms.max(1);
        let most = (MOST / (2 + each)).max(1) as usize;
        let enough = (occupancy::LONG_SUM / results.max(1)).min(terms.isqrt());
        let length = terms.div_ceil(terms.div_ceil(most).max(enough));
        let count = terms.div_ceil(length);
        Parts { count, length, iterations: in_stretches(length as u64, each) }
    }
}

/// The sum of parts, and where it goes.
pub(super) struct Sum<'s> {
    /// Elements of a part, counted in fours if `width` is 4.
    pub elements: usize,
    /// Elements that kernels take at a time: 1, or 4.
    pub width: usize,
    /// Where the sums go. `None` is the first output, through its epilogue.
    pub result: Option<Operand>,
    /// Fills the hole `finalize` of a kernel, or leaves the sums as they are.
    pub finalize: &'s dyn Fn(&LowerContext<'_>, Kernel) -> Result<Kernel>,
    /// An operand that it binds in addition to parts and result.
    pub beside: Option<Operand>,
}

/// Leaves the sums of a kernel as they are.
pub(super) fn plain(_cx: &LowerContext<'_>, kernel: Kernel) -> Result<Kernel> {
    Ok(kernel)
}

/// Scratch memory for the parts of `elements` elements of `width`.
pub(super) fn scratch(
    cx: &mut LowerContext<'_>,
    elements: usize,
    count: usize,
    width: usize,
) -> Result<Operand> {
    let numbers = elements.saturating_mul(count).saturating_mul(width);
    cx.index(numbers)?;
    Ok(cx.temporary(numbers))
}

/// Records the sums of `count` parts, which lie one after the other.
pub(super) fn sum(
    cx: &mut LowerContext<'_>,
    mut parts: Operand,
    mut count: usize,
    sum: &Sum<'_>,
) -> Result<()> {
    let most = MOST as usize;
    while count > most {
        let groups = count.div_ceil(most);
        let merged = scratch(cx, sum.elements, groups, sum.width)?;
        let (kernel, workgroups) = sum_kernel(cx, &plain, sum.elements, count, groups)?;
        cx.dispatch_without_epilogue(kernel, &[parts, merged.clone()], workgroups, sum.width);
        (parts, count) = (merged, groups);
    }
    let (kernel, workgroups) = sum_kernel(cx, sum.finalize, sum.elements, count, 1)?;
    let mut operands = vec![parts];
    operands.extend(sum.beside.clone());
    operands.push(sum.result.clone().unwrap_or_else(|| cx.output(0)));
    match sum.result {
        None => cx.dispatch_epilogue(kernel, &operands, workgroups, sum.width),
        Some(_) => cx.dispatch_without_epilogue(kernel, &operands, workgroups, sum.width),
    }
    Ok(())
}

fn sum_kernel(
    cx: &LowerContext<'_>,
    finalize: &dyn Fn(&LowerContext<'_>, Kernel) -> Result<Kernel>,
    elements: usize,
    parts: usize,
    groups: usize,
) -> Result<(Kernel, usize)> {
    let count = parts.div_ceil(groups);
    let (kernel, workgroups) = cx.made_by(&shader::parts::sum_parts, groups * elements, 1)?;
    let kernel = finalize(cx, kernel)?
        .with("RESULTS", cx.index(elements)?)
        .with("PARTS", cx.index(parts)?)
        .with("COUNT", cx.index(count)?)
        .iterations(in_stretches(count as u64, 0));
    Ok((kernel, workgroups))
}
