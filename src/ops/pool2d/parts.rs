//! Windows too large for the loop of one invocation, and elements that too many windows cover. Several invocations
//! share their taps or windows, and the parts are merged in order.

use super::max::keeping;
use super::{LANES, Windows};
use crate::error::Result;
use crate::op::{LowerContext, MAX_ITERATIONS, Operand, Variant};
use crate::ops::parts::{Parts, STRETCH, Sum, scratch, sum};
use crate::shader::{self, Kernel, kernels};
use crate::tensor::Shape;

/// The variant that divides long loops into parts.
pub(super) const PARTS: Variant = Variant::new("parts");

/// Whether a kernel of this many iterations may run.
pub(super) fn is_short(iterations: u64) -> bool {
    iterations <= MAX_ITERATIONS
}

/// Iterations of nested loops over `sizes`; the innermost takes `each` more.
pub(super) fn nested(sizes: [usize; 2], each: u64) -> u64 {
    let [outer, inner] = sizes.map(|size| size as u64);
    outer.saturating_mul(inner.saturating_mul(1 + each).saturating_add(1))
}

/// Iterations over the `packs` of a plane that a team of `team` shares, and of the tree that adds its sums.
pub(super) fn global(packs: usize, team: usize) -> u64 {
    let own = packs.div_ceil(team) as u64;
    own + own.div_ceil(STRETCH) + 8
}

/// Fills the holes of a kernel with the windows and what the pooling makes of their taps.
pub(super) type Fill<'j> = &'j dyn Fn(&LowerContext<'_>, Kernel) -> Result<Kernel>;

/// Records sums over windows of an input of this shape. A term takes `each` iterations; `beside` are the operands of
/// the pooling's files.
pub(super) fn lower_sum(
    cx: &mut LowerContext<'_>,
    windows: &Windows,
    input: &Shape,
    each: u64,
    beside: Option<Operand>,
    fill: Fill<'_>,
) -> Result<()> {
    let results = cx.output_type(0).shape.elements();
    let [h, w] = windows.kernel([input[2], input[3]]);
    let parts = Parts::new(results, h.saturating_mul(w), each);
    let memory = scratch(cx, results, parts.count, 1)?;
    let (kernel, groups) = cx.made_by(&shader::parts::pool2d_sum_parts, results * parts.count, 1)?;
    let kernel = fill(cx, kernel)?
        .with("OUTPUTS", cx.index(results)?)
        .with("PARTS", cx.index(parts.count)?)
        .iterations(parts.iterations);
    let operands: Vec<Operand> =
        [cx.input(0)].into_iter().chain(beside.clone()).chain([memory.clone()]).collect();
    cx.dispatch_without_epilogue(kernel, &operands, groups, 1);
    let finalize =
        |cx: &LowerContext<'_>, kernel: Kernel| fill(cx, kernel.fill(&shader::parts::pool2d_finalize));
    sum(
        cx,
        memory,
        parts.count,
        &Sum { elements: results, width: 1, result: None, finalize: &finalize, beside },
    )
}

/// Records the sums of the weights of a plane's windows.
pub(super) fn lower_weights(
    cx: &mut LowerContext<'_>,
    windows: &Windows,
    input: &Shape,
    fill: Fill<'_>,
) -> Result<Operand> {
    let size = [input[2], input[3]];
    let [oh, ow] = windows.output_size(size).expect("the shape rule has passed");
    let [h, w] = windows.kernel(size);
    let parts = Parts::new(oh * ow, h.saturating_mul(w), 0);
    let memory = scratch(cx, oh * ow, parts.count, 1)?;
    let (kernel, groups) = cx.made_by(&shader::parts::pool2d_weight_parts, oh * ow * parts.count, 1)?;
    let kernel = fill(cx, kernel)?.with("PARTS", cx.index(parts.count)?).iterations(parts.iterations);
    cx.dispatch_without_epilogue(kernel, std::slice::from_ref(&memory), groups, 1);
    let divisors = cx.temporary(oh * ow);
    let plain = &crate::ops::parts::plain;
    let result = Some(divisors.clone());
    sum(
        cx,
        memory,
        parts.count,
        &Sum { elements: oh * ow, width: 1, result, finalize: plain, beside: None },
    )?;
    Ok(divisors)
}

/// Records the gather from windows to the elements of an input of this shape. `operands` are those of `pool2d_gather`
/// without its result; each window takes `each` iterations.
pub(super) fn lower_gather(
    cx: &mut LowerContext<'_>,
    windows: &Windows,
    input: &Shape,
    each: u64,
    operands: &[Operand],
    fill: Fill<'_>,
) -> Result<()> {
    let elements = input.elements();
    let (candidates, file) = match windows {
        Windows::Sliding(_) => (windows.candidates([input[2], input[3]]), &shader::parts::pool2d_candidates),
        Windows::Adaptive(_) => {
            (windows.covers([input[2], input[3]]), &shader::parts::pool2d_candidates_adaptive)
        }
    };
    let parts = Parts::new(elements, candidates[0].saturating_mul(candidates[1]), each);
    let memory = scratch(cx, elements, parts.count, 1)?;
    let (kernel, groups) = cx.made_by(&shader::parts::pool2d_gather_parts, elements * parts.count, 1)?;
    let kernel = fill(cx, kernel.fill(file))?
        .with("RESULTS", cx.index(elements)?)
        .with("PARTS", cx.index(parts.count)?)
        .iterations(parts.iterations);
    let operands: Vec<Operand> = operands.iter().cloned().chain([memory.clone()]).collect();
    cx.dispatch_without_epilogue(kernel, &operands, groups, 1);
    let plain = &crate::ops::parts::plain;
    sum(cx, memory, parts.count, &Sum { elements, width: 1, result: None, finalize: plain, beside: None })
}

/// Records the largest elements of windows of an input of this shape, and the winning taps if they are read.
pub(super) fn lower_max(cx: &mut LowerContext<'_>, windows: &Windows, input: &Shape) -> Result<()> {
    let results = cx.output_type(0).shape.elements();
    let [h, w] = windows.kernel([input[2], input[3]]);
    let parts = Parts::new(results, h.saturating_mul(w), 0);
    let memory = scratch(cx, results, parts.count, 2)?;
    let sized = |cx: &LowerContext<'_>, kernel: Kernel| -> Result<Kernel> {
        Ok(kernel.with("OUTPUTS", cx.index(results)?).with("PARTS", cx.index(parts.count)?))
    };
    let kernel = windows.fill(cx, Kernel::new(&kernels::max_pool2d_parts), input)?;
    let kernel = sized(cx, kernel)?.with("LENGTH", cx.index(parts.length)?).iterations(parts.length as u64);
    cx.dispatch(kernel, &[cx.input(0), memory.clone()], (results * parts.count).div_ceil(LANES));
    let (keep, taps) = keeping(cx);
    let kernel = sized(cx, Kernel::new(&kernels::max_pool2d_merge).fill_all(keep))?;
    let operands: Vec<Operand> = [memory, cx.output(0)].into_iter().chain(taps).collect();
    cx.dispatch(kernel.iterations(parts.count as u64), &operands, results.div_ceil(LANES));
    Ok(())
}
