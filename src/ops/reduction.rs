//! The kernels of reductions over dimensions, which make a smaller first output from the first input.
//!
//! Two layouts cover most reductions and have kernels of their own. In `rows` the kept elements lie side by side: a
//! matrix, or each of a batch, is summed over its rows. In `channels` the summed elements lie side by side. Any other
//! mixture of dimensions is `generic`.
//!
//! A long sum is divided into parts that are outputs themselves, and a further dispatch of the same kernel adds
//! those. The number of parts depends on the adapter: the variants in `_wide` keep a GPU's many invocations busy, the
//! others spare a software adapter barriers.
//!
//! Max, min and mapped sums use the same kernels. The operators are in `reduce` and wherever gradients are summed.

mod terms;

pub(super) use terms::{ClassWeights, Combine, Reduction, Term};

use super::elementwise::{RANK, padded, strides_to};
use super::loops::{CUT_TERMS, fits, shared, stretched, tree};
use super::pack::pack;
use super::serial;
use crate::error::Result;
use crate::op::occupancy::{self, LANES};
use crate::op::{LowerContext, Operand, Preference, Variant};
use crate::shader::{Kernel, ShaderFile, kernels};
use crate::tensor::Shape;
use terms::Step;

/// In the kernels of the two layouts, the terms that an invocation combines before it joins them to the others.
const STRETCH: u64 = 32;

/// A reduction over `outer` and `inner` of (batch, outer, kept, inner). There is a batch only if `inner` is 1.
#[derive(Clone, Copy)]
struct Layout {
    batch: usize,
    outer: usize,
    kept: usize,
    inner: usize,
}

impl Layout {
    /// The layout of a reduction of `from` to `to`, if it is one.
    fn of(from: &Shape, to: &Shape) -> Option<Layout> {
        let (full, target) = (padded(from), padded(to));
        // Neighbouring dimensions of one kind, merged; the first is kept.
        let mut runs = vec![1];
        for d in (0..RANK).filter(|&d| full[d] > 1) {
            let kept = target[d] == full[d];
            if kept == runs.len().is_multiple_of(2) {
                runs.push(1);
            }
            *runs.last_mut()? *= full[d] as usize;
        }
        match runs[..] {
            [kept] => Some(Layout { batch: 1, outer: 1, kept, inner: 1 }),
            [kept, inner] => Some(Layout { batch: 1, outer: 1, kept, inner }),
            [batch, outer, kept] => Some(Layout { batch, outer, kept, inner: 1 }),
            [1, outer, kept, inner] => Some(Layout { batch: 1, outer, kept, inner }),
            _ => None,
        }
    }
}

const GENERIC: Variant = Variant::new("generic");
const CHANNELS: Variant = Variant::new("channels");
const CHANNELS_WIDE: Variant = Variant::new("channels_wide");
const ROWS: Variant = Variant::new("rows");
const ROWS_WIDE: Variant = Variant::new("rows_wide");

/// The preference of every reduction.
pub(crate) const PREFERENCE: Preference =
    Preference::gpus(&[CHANNELS_WIDE, ROWS_WIDE, GENERIC], &[CHANNELS, ROWS, GENERIC]);

/// The variants that can reduce `from` to `to`.
pub(crate) fn variants(from: &Shape, to: &Shape) -> Vec<Variant> {
    match Layout::of(from, to) {
        Some(Layout { inner: 2.., .. }) => vec![GENERIC, CHANNELS, CHANNELS_WIDE],
        Some(Layout { outer: 2.., .. }) => vec![GENERIC, ROWS, ROWS_WIDE],
        _ => vec![GENERIC],
    }
}

/// Terms of one output that a variant adds one after the other.
pub(crate) fn serial_terms(from: &Shape, to: &Shape, variant: Variant) -> u64 {
    let terms = from.elements() / to.elements().max(1);
    if variant == GENERIC { serial::shared(terms, LANES) } else { serial::stretched(terms) }
}

/// Records the sum of the first input, of shape `from`, down to `to`, into the first output.
pub(crate) fn lower(cx: &mut LowerContext<'_>, from: &Shape, to: &Shape) -> Result<()> {
    reduce(cx, from, to, &Reduction::SUM)
}

/// Records a reduction of the first input, of shape `from`, to `to`.
pub(super) fn reduce(
    cx: &mut LowerContext<'_>,
    from: &Shape,
    to: &Shape,
    reduction: &Reduction,
) -> Result<()> {
    reduce_by(cx, cx.variant(), from, to, reduction)
}

/// Records a reduction of `from` to `to` within an operator that has other variants, by the layout's own kernel.
pub(super) fn reduce_within(
    cx: &mut LowerContext<'_>,
    from: &Shape,
    to: &Shape,
    reduction: &Reduction,
) -> Result<()> {
    let wide = !cx.caps().kind.is_software();
    let variant = match Layout::of(from, to) {
        Some(Layout { inner: 2.., .. }) => {
            if wide {
                CHANNELS_WIDE
            } else {
                CHANNELS
            }
        }
        Some(Layout { outer: 2.., .. }) => {
            if wide {
                ROWS_WIDE
            } else {
                ROWS
            }
        }
        _ => GENERIC,
    };
    reduce_by(cx, variant, from, to, reduction)
}

fn reduce_by(
    cx: &mut LowerContext<'_>,
    variant: Variant,
    from: &Shape,
    to: &Shape,
    reduction: &Reduction,
) -> Result<()> {
    let wide = matches!(variant, CHANNELS_WIDE | ROWS_WIDE);
    match (variant, Layout::of(from, to)) {
        (ROWS | ROWS_WIDE, Some(layout)) => reduce_rows(cx, layout, wide, reduction),
        (CHANNELS | CHANNELS_WIDE, Some(layout)) => {
            let source = reduction.source(cx);
            reduce_channels(cx, layout, wide, reduction, source, true)
        }
        _ => reduce_generic(cx, from, to, reduction),
    }
}

/// The number of elements taken at a time, four if that divides all `sizes`, and its files.
fn width(sizes: &[usize]) -> (usize, &'static ShaderFile) {
    if sizes.iter().all(|size| size.is_multiple_of(4)) { pack(4) } else { pack(1) }
}

fn reduce_rows(cx: &mut LowerContext<'_>, layout: Layout, wide: bool, reduction: &Reduction) -> Result<()> {
    let Layout { batch, outer, kept, .. } = layout;
    let (mut rows, mut source) = (outer, reduction.source(cx));
    loop {
        let first = rows == outer;
        let parts = row_parts(rows, batch, kept, wide);
        let part = (parts > 1).then(|| cx.temporary(batch * parts * kept));
        let (files, beside) = reduction.files(first);
        // Terms that need a number of their output take packs that belong to whole outputs.
        let whole = match first {
            true if reduction.is_single() => 1,
            true if !reduction.is_plain() => kept,
            _ => 4,
        };
        let (width, pack) = width(&[rows * kept, parts * kept, whole]);
        let period = parts * kept / width;
        let kernel = Kernel::new(&kernels::reduce_rows)
            .fill(pack)
            .fill_all(files)
            .with("BATCH", cx.index(batch)?)
            .with("COUNT", cx.index(rows * kept / width)?)
            .with("PERIOD", cx.index(period)?)
            // A pack across outputs belongs to none of them, and its terms need no output.
            .with("KEPT", cx.index(kept.div_ceil(width))?)
            .iterations(stretched(rows.div_ceil(parts) as u64, STRETCH));
        let groups = (batch * period).div_ceil(LANES);
        reduction.dispatch(cx, Step { source, beside, part: part.clone(), first }, kernel, groups, width)?;
        let Some(part) = part else { return Ok(()) };
        (rows, source) = (parts, part);
    }
}

/// The number of partial rows to which `rows` rows of `kept` elements are summed, in each of a batch: 1, or fewer
/// than `rows`.
fn row_parts(rows: usize, batch: usize, kept: usize, wide: bool) -> usize {
    // Invocations wanted, and rows per invocation from which a further dispatch pays.
    let (wanted, worth) = if wide { (16_384, 32) } else { (256, 64) };
    let mut parts = (4 * wanted / batch.saturating_mul(kept)).min(rows / worth);
    if !fits(stretched(rows.div_ceil(parts.max(1)) as u64, STRETCH)) {
        parts = rows.div_ceil(CUT_TERMS);
    }
    match parts {
        0 | 1 => 1,
        // Otherwise rounded up so that all parts together are a multiple of four elements.
        _ if kept.is_multiple_of(4) => parts,
        _ => parts.next_multiple_of(4),
    }
}

/// Reduces `source`. With `first` its elements are not terms yet.
fn reduce_channels(
    cx: &mut LowerContext<'_>,
    mut layout: Layout,
    wide: bool,
    reduction: &Reduction,
    mut source: Operand,
    mut first: bool,
) -> Result<()> {
    loop {
        let Layout { outer, kept, inner, .. } = layout;
        let (width, pack) = width(&[if first && reduction.is_single() { 1 } else { inner }]);
        let plane = inner / width;
        let count = outer * plane;
        let (parts, team) = channel_parts(count, kept, wide);
        let part_count = count.div_ceil(parts);
        let part = (parts > 1).then(|| cx.temporary(kept * parts));
        let (files, beside) = reduction.files(first);
        let kernel = Kernel::new(&kernels::reduce_channels)
            .fill(pack)
            .fill_all(files)
            .with("TEAM", cx.index(team)?)
            .with("CHANNELS", cx.index(kept)?)
            .with("PLANE", cx.index(plane)?)
            .with("COUNT", cx.index(count)?)
            .with("PARTS", cx.index(parts)?)
            .with("PART_COUNT", cx.index(part_count)?)
            .iterations(stretched(shared(part_count, team), STRETCH) + tree(team));
        let groups = (kept * parts).div_ceil(LANES / team);
        reduction.dispatch(cx, Step { source, beside, part: part.clone(), first }, kernel, groups, 1)?;
        let Some(part) = part else { return Ok(()) };
        layout = Layout { batch: 1, outer: 1, kept, inner: parts };
        (source, first) = (part, false);
    }
}

/// The number of parts of a channel of `count` elements, and of invocations that share a part.
fn channel_parts(count: usize, channels: usize, wide: bool) -> (usize, usize) {
    let (wanted, worth, most) = occupancy::reduction(wide);
    let parts = (wanted / most / channels).min(count / (worth * most));
    // A multiple of four parts is added four at a time.
    let in_fours = |parts: usize| if parts < 2 { 1 } else { parts.next_multiple_of(4) };
    let parts = in_fours(parts);
    let team = count.div_ceil(4 * parts).next_power_of_two().min(most);
    if fits(stretched(shared(count.div_ceil(parts), team), STRETCH) + tree(team)) {
        return (parts, team);
    }
    (in_fours(count.div_ceil(CUT_TERMS * most)), most)
}

fn reduce_generic(cx: &mut LowerContext<'_>, from: &Shape, to: &Shape, reduction: &Reduction) -> Result<()> {
    let source = strides_to(from, from);
    let target = padded(to);
    let full = padded(from);
    let (files, beside) = reduction.files(true);
    let (outputs, count) = (to.elements(), from.elements() / to.elements());
    let iterations = |count: usize| shared(count, LANES) + tree(LANES);
    let parts = if fits(iterations(count)) { 1 } else { count.div_ceil(CUT_TERMS * LANES) };
    let part_count = count.div_ceil(parts);
    // Kept dimensions index the workgroups; the others are reduced within one.
    let [keep, sum] = [true, false].map(|kept| {
        let of = |d: usize| if (target[d] == full[d]) == kept { full[d] } else { 1 };
        std::array::from_fn::<u32, RANK, _>(of)
    });
    let kernel = Kernel::new(&kernels::reduce)
        .fill_all(files)
        .with("TEAM", LANES as u32)
        .with("OUTPUTS", cx.index(outputs)?)
        .with("COUNT", cx.index(count)?)
        .with("PARTS", cx.index(parts)?)
        .with("PART_COUNT", cx.index(part_count)?)
        .iterations(iterations(part_count))
        .with("KEEP", keep)
        .with("SUM", sum)
        .with("STRIDE", source);
    let part = (parts > 1).then(|| cx.temporary(outputs * parts));
    let step = Step { source: reduction.source(cx), beside, part: part.clone(), first: true };
    reduction.dispatch(cx, step, kernel, outputs * parts, 1)?;
    let Some(part) = part else { return Ok(()) };
    let rest = Layout { batch: 1, outer: 1, kept: outputs, inner: parts };
    reduce_channels(cx, rest, false, reduction, part, false)
}
