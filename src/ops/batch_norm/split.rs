//! The division of batch norm's reductions among workgroups, and its kernels over flat tensors.

use crate::error::Result;
use crate::op::occupancy::{self, ITEMS};
use crate::op::{LowerContext, Preference, Variant};
use crate::ops::loops::{CUT_TERMS, fits, shared, tree};
use crate::ops::pack::pack;
use crate::ops::serial;
use crate::shader::{Kernel, ShaderFile, parts};
use crate::tensor::Shape;

/// The division of a channel among workgroups. A GPU needs many wide ones at once, and a further dispatch merges
/// their results. A software adapter pays for each, so one workgroup takes a whole channel.
pub(crate) const VARIANTS: [Variant; 2] = [WIDE, NARROW];
pub(crate) const WIDE: Variant = Variant::new("wide");
pub(crate) const NARROW: Variant = Variant::new("narrow");
pub(crate) const PREFERENCE: Preference = Preference::gpus(&[WIDE], &[NARROW]);

/// Parts of a channel that the merging workgroup reads at a time, one per invocation.
const MERGED: usize = 64;

/// How a tensor's channels are cut among workgroups: the constants of `channels`.
pub(crate) struct ChannelSplit {
    pack: &'static ShaderFile,
    lanes: usize,
    lanes_c: usize,
    pub channels: usize,
    plane: usize,
    packs: usize,
    part_packs: usize,
    pub parts: usize,
}

impl ChannelSplit {
    pub(crate) fn new(shape: &Shape, variant: Variant) -> ChannelSplit {
        ChannelSplit::by(pack(shape[2..].iter().product()), shape, variant)
    }

    /// A split for kernels that take single elements.
    pub(crate) fn single(shape: &Shape, variant: Variant) -> ChannelSplit {
        ChannelSplit::by((1, &parts::pack_1), shape, variant)
    }

    fn by((width, pack): (usize, &'static ShaderFile), shape: &Shape, variant: Variant) -> ChannelSplit {
        let channels = shape[1];
        let plane: usize = shape[2..].iter().product();
        let packs = shape[0] * plane / width;
        let (lanes, wanted) = occupancy::channels(variant == WIDE, packs);
        let lanes_c = if variant == WIDE {
            // Neighbouring channels go to neighbouring lanes, so that loads coalesce.
            if plane == 1 { channels.next_power_of_two().min(16) } else { 1 }
        } else {
            narrow_lanes_c(channels, packs, lanes)
        };
        let blocks = channels.div_ceil(lanes_c);
        // A part is worth a workgroup if its lanes have a few packs each.
        let worth = packs.div_ceil(4 * lanes / lanes_c);
        let mut parts = (wanted / blocks).min(worth).clamp(1, MERGED);
        let rows = lanes / lanes_c;
        if !fits(share(packs.div_ceil(parts), rows)) {
            parts = packs.div_ceil(CUT_TERMS * rows);
        }
        let part_packs = packs.div_ceil(parts);
        let parts = packs.div_ceil(part_packs);
        ChannelSplit { pack, lanes, lanes_c, channels, plane: plane / width, packs, part_packs, parts }
    }

    /// A kernel that uses `channels`.
    pub(crate) fn kernel(&self, cx: &LowerContext<'_>, main: &'static ShaderFile) -> Result<Kernel> {
        Ok(Kernel::new(main)
            .fill(self.pack)
            .with("LANES", cx.index(self.lanes)?)
            .with("LANES_C", cx.index(self.lanes_c)?)
            .with("CHANNELS", cx.index(self.channels)?)
            .with("PLANE", cx.index(self.plane)?)
            .with("PACKS", cx.index(self.packs)?)
            .with("PART_PACKS", cx.index(self.part_packs)?)
            .with("PARTS", cx.index(self.parts)?))
    }

    /// Loop iterations of an invocation over its share of a part and of the tree after it.
    pub(crate) fn iterations(&self) -> u64 {
        share(self.part_packs, self.lanes / self.lanes_c)
    }

    /// Loop iterations of an invocation of the workgroup that merges a channel's parts.
    pub(crate) fn merge_iterations(&self) -> u64 {
        shared(self.parts.saturating_sub(MERGED), MERGED) + tree(MERGED)
    }

    pub(crate) fn workgroups(&self) -> usize {
        self.channels.div_ceil(self.lanes_c) * self.parts
    }

    /// Elements of a buffer with one pair per part.
    pub(crate) fn pairs(&self) -> usize {
        2 * self.channels * self.parts
    }
}

/// Invocations of the narrow variant's workgroup that have a channel of their own, out of `lanes`. Those that share a
/// channel wait for each other, so they are as few as leaves sums short and workgroups many.
fn narrow_lanes_c(channels: usize, packs: usize, lanes: usize) -> usize {
    let (most_packs, wanted) = occupancy::NARROW_CHANNELS;
    let rows = packs.div_ceil(most_packs).next_power_of_two().min(lanes);
    let blocks = (channels / wanted).max(1);
    (lanes / rows).min(1 << blocks.ilog2())
}

/// Loop iterations for the packs of a part among so many invocations, and for the final tree.
fn share(packs: usize, rows: usize) -> u64 {
    shared(packs, rows) + tree(rows)
}

/// The kernel that makes all elements of a tensor (N, C, ...) by a file, its workgroups, and the width of its elements.
pub(crate) fn flat(
    cx: &LowerContext<'_>,
    shape: &Shape,
    made: &'static ShaderFile,
) -> Result<(Kernel, usize, usize)> {
    let plane: usize = shape[2..].iter().product();
    let (width, _) = pack(plane);
    let (kernel, groups) = cx.made_by(made, shape.elements() / width, ITEMS)?;
    let kernel = kernel.with("CHANNELS", cx.index(shape[1])?).with("PLANE", cx.index(plane / width)?);
    Ok((kernel, groups, width))
}

/// The same for the gradient by the input from the lines of its channels; `source` defines `gradient_at`.
pub(crate) fn flat_gradient(
    cx: &LowerContext<'_>,
    shape: &Shape,
    source: &'static ShaderFile,
) -> Result<(Kernel, usize, usize)> {
    let (kernel, groups, width) = flat(cx, shape, &parts::batch_norm_grad_apply)?;
    Ok((kernel.fill(pack(width).1).fill(source), groups, width))
}

/// Terms of a channel of this tensor (N, C, ...) that an invocation adds one after the other: the sums of a pack's
/// components are kept apart.
pub(crate) fn serial_terms(shape: &Shape, variant: Variant) -> u64 {
    let split = ChannelSplit::new(shape, variant);
    serial::shared(split.part_packs, split.lanes / split.lanes_c)
}
