//! Sums over dimensions: how the first input becomes a smaller first output.
//!
//! Two layouts cover the gradients of biases and have kernels of their own: what is kept lies side
//! by side (`rows`: a matrix is summed over its rows), or what is summed does (`channels`). Any other
//! mixture of dimensions is `generic`.
//!
//! A long sum is cut into parts that are outputs themselves, and a further dispatch of the same kernel
//! adds those. How finely depends on the adapter: the variants in `_wide` keep a GPU's many
//! invocations busy, the others spare a software adapter barriers.

use super::elementwise::{RANK, padded, strides_to};
use crate::error::Result;
use crate::plan::Lower;
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::Shape;

static GROUP: ShaderFile = shader_file!("shared/group");
static TEAM: ShaderFile = shader_file!("shared/team");
static PACK_1: ShaderFile = shader_file!("shared/pack_1");
static PACK_4: ShaderFile = shader_file!("shared/pack_4");
static GENERIC: ShaderFile = shader_file!("sum_to");
static ROWS: ShaderFile = shader_file!("sum_rows");
static CHANNELS: ShaderFile = shader_file!("sum_channels");

/// Invocations of a workgroup, in all kernels.
const LANES: usize = 64;

/// A sum over `outer` and `inner` of (outer, kept, inner).
#[derive(Clone, Copy)]
struct Layout {
    outer: usize,
    kept: usize,
    inner: usize,
}

impl Layout {
    /// The layout of a sum of `from` down to `to`, if what is kept lies in one run of dimensions.
    fn of(from: &Shape, to: &Shape) -> Option<Layout> {
        let (full, target) = (padded(from), padded(to));
        let mut layout = Layout { outer: 1, kept: 1, inner: 1 };
        for d in (0..RANK).filter(|&d| full[d] > 1) {
            let size = full[d] as usize;
            match (target[d] == full[d], layout) {
                (true, Layout { inner: 1, .. }) => layout.kept *= size,
                (true, _) => return None,
                (false, Layout { kept: 1, inner: 1, .. }) => layout.outer *= size,
                (false, _) => layout.inner *= size,
            }
        }
        // Everything summed is one run; it lies side by side.
        if layout.kept == 1 {
            layout = Layout { outer: 1, kept: 1, inner: layout.outer * layout.inner };
        }
        Some(layout)
    }
}

/// The variants that can sum `from` down to `to`.
pub(crate) fn variants(from: &Shape, to: &Shape) -> Vec<&'static str> {
    match Layout::of(from, to) {
        Some(Layout { inner: 2.., .. }) => vec!["generic", "channels", "channels_wide"],
        Some(Layout { outer: 2.., .. }) => vec!["generic", "rows", "rows_wide"],
        _ => vec!["generic"],
    }
}

/// Records the sum of the first input, of shape `from`, down to `to`, into the first output.
pub(crate) fn lower(cx: &mut Lower<'_>, from: &Shape, to: &Shape) -> Result<()> {
    match (cx.variant(), Layout::of(from, to)) {
        ("rows" | "rows_wide", Some(layout)) => lower_rows(cx, layout),
        ("channels" | "channels_wide", Some(layout)) => lower_channels(cx, layout),
        _ => lower_generic(cx, from, to),
    }
}

/// Four elements at a time where four divides all `sizes`.
fn width(sizes: &[usize]) -> (usize, &'static ShaderFile) {
    if sizes.iter().all(|size| size.is_multiple_of(4)) { (4, &PACK_4) } else { (1, &PACK_1) }
}

fn lower_rows(cx: &mut Lower<'_>, Layout { outer, kept, .. }: Layout) -> Result<()> {
    let wide = cx.variant() == "rows_wide";
    let (mut rows, mut source) = (outer, cx.input(0));
    loop {
        let parts = row_parts(rows, kept, wide);
        let last = parts == 1;
        let result = if last { cx.output(0) } else { cx.temporary(parts * kept) };
        let (width, pack) = width(&[rows * kept, parts * kept]);
        let period = parts * kept / width;
        let kernel = Kernel::new(&[&GROUP, pack, &ROWS])
            .with("COUNT", cx.index(rows * kept / width)?)
            .with("PERIOD", cx.index(period)?);
        cx.dispatch(kernel, &[source, result.clone()], period.div_ceil(LANES));
        if last {
            return Ok(());
        }
        (rows, source) = (parts, result);
    }
}

/// Partial rows that `rows` rows of `kept` elements are summed to: 1, or fewer than `rows`.
fn row_parts(rows: usize, kept: usize, wide: bool) -> usize {
    // Invocations wanted, and rows for each that make a further dispatch worth while.
    let (wanted, worth) = if wide { (16_384, 32) } else { (256, 64) };
    let parts = (4 * wanted / kept).min(rows / worth);
    match parts {
        0 | 1 => 1,
        // As many as make a multiple of four elements.
        _ if kept.is_multiple_of(4) => parts,
        _ => parts.next_multiple_of(4),
    }
}

fn lower_channels(cx: &mut Lower<'_>, layout: Layout) -> Result<()> {
    let wide = cx.variant() == "channels_wide";
    let (mut layout, mut source) = (layout, cx.input(0));
    loop {
        let Layout { outer, kept, inner } = layout;
        let (width, pack) = width(&[inner]);
        let plane = inner / width;
        let count = outer * plane;
        let (parts, team) = channel_parts(count, kept, wide);
        let part_count = count.div_ceil(parts);
        let last = parts == 1;
        let result = if last { cx.output(0) } else { cx.temporary(kept * parts) };
        let kernel = Kernel::new(&[&GROUP, pack, &TEAM, &CHANNELS])
            .with("TEAM", cx.index(team)?)
            .with("CHANNELS", cx.index(kept)?)
            .with("PLANE", cx.index(plane)?)
            .with("COUNT", cx.index(count)?)
            .with("PARTS", cx.index(parts)?)
            .with("PART_COUNT", cx.index(part_count)?);
        cx.dispatch(kernel, &[source, result.clone()], (kept * parts).div_ceil(LANES / team));
        if last {
            return Ok(());
        }
        (layout, source) = (Layout { outer: 1, kept, inner: parts }, result);
    }
}

/// Parts that a channel of `count` elements is cut into, and invocations that share one.
fn channel_parts(count: usize, channels: usize, wide: bool) -> (usize, usize) {
    // Invocations wanted, loads for each that make a further dispatch worth while, largest team.
    let (wanted, worth, most) = if wide { (1024 * LANES, 8, LANES) } else { (256, 64, 1) };
    let parts = (wanted / most / channels).min(count / (worth * most));
    // Parts in fours are added four at a time.
    let parts = if parts < 2 { 1 } else { parts.next_multiple_of(4) };
    (parts, count.div_ceil(4 * parts).next_power_of_two().min(most))
}

fn lower_generic(cx: &mut Lower<'_>, from: &Shape, to: &Shape) -> Result<()> {
    let source = strides_to(from, from);
    let target = padded(to);
    let full = padded(from);
    // Dimensions kept index the workgroups, the stretched ones are summed within one.
    let keep: Vec<u32> = (0..RANK).map(|d| if target[d] == full[d] { full[d] } else { 1 }).collect();
    let sum: Vec<u32> = (0..RANK).map(|d| if target[d] == full[d] { 1 } else { full[d] }).collect();
    let kernel = Kernel::new(&[&GROUP, &GENERIC])
        .with("OUTPUTS", cx.index(to.elements())?)
        .with("COUNT", cx.index(from.elements() / to.elements())?)
        .with("KEEP_1", keep[1])
        .with("KEEP_2", keep[2])
        .with("KEEP_3", keep[3])
        .with("KEEP_4", keep[4])
        .with("KEEP_5", keep[5])
        .with("SUM_1", sum[1])
        .with("SUM_2", sum[2])
        .with("SUM_3", sum[3])
        .with("SUM_4", sum[4])
        .with("SUM_5", sum[5])
        .with("STRIDE_0", source[0])
        .with("STRIDE_1", source[1])
        .with("STRIDE_2", source[2])
        .with("STRIDE_3", source[3])
        .with("STRIDE_4", source[4])
        .with("STRIDE_5", source[5]);
    let operands = [cx.input(0), cx.output(0)];
    cx.dispatch(kernel, &operands, to.elements());
    Ok(())
}
