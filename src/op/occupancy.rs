//! How many invocations fill an adapter. All numbers by which kernels divide work are here.
//!
//! A GPU hides the latency of memory behind thousands of invocations. A software adapter runs a few threads, each one
//! workgroup at a time, and pays for every further dispatch, barrier and load.

use super::AdapterKind;

/// Invocations of a workgroup, unless a kernel's file says otherwise.
pub(crate) const LANES: usize = 64;

/// Elements, or fours of elements, that an invocation of a flat kernel makes in turn.
pub(crate) const ITEMS: usize = 4;

/// Multiprocessors of a large discrete GPU (132 on NVIDIA's H100 and H200), and invocations with 64 sums each that one
/// holds at a time.
const MULTIPROCESSORS: (usize, usize) = (132, 512);

/// For a matrix product in workgroups of `lanes` invocations: workgroups below which its sum is split, and the fewest
/// terms of a part. The second pair fills a large GPU, with parts so long that adding them takes a tenth of the time.
pub(crate) fn product(kind: AdapterKind, lanes: usize) -> [(usize, usize); 2] {
    let of_lanes = |invocations: usize| invocations.div_ceil(lanes.max(LANES));
    match kind {
        AdapterKind::Software | AdapterKind::SwiftShader => [(40, 256); 2],
        AdapterKind::Integrated | AdapterKind::Apple => [(of_lanes(64 * LANES), 128); 2],
        AdapterKind::Discrete => {
            let (count, each) = MULTIPROCESSORS;
            [(of_lanes(256 * LANES), 128), (of_lanes(count * each), 512)]
        }
    }
}

/// For the weight's gradient of a depthwise convolution: workgroups below which the sum over pixels is split, and the
/// fewest stretches of pixels that an invocation of a part adds.
pub(crate) fn depthwise_sum(kind: AdapterKind) -> (usize, usize) {
    match kind {
        AdapterKind::Software | AdapterKind::SwiftShader => (1, 1),
        AdapterKind::Integrated | AdapterKind::Apple => (64, 16),
        AdapterKind::Discrete => (MULTIPROCESSORS.0 * MULTIPROCESSORS.1 / LANES, 16),
    }
}

/// Invocations below which the sliding windows of a weight's gradient split the sum.
pub(crate) fn sliding_sum(kind: AdapterKind) -> usize {
    if kind.is_software() { 512 } else { 16_384 }
}

/// How a reduction over channels is divided: invocations wanted, the loads of each from which a second dispatch pays,
/// and the most invocations that share a part. `wide` is the variant for GPUs.
pub(crate) fn reduction(wide: bool) -> (usize, usize, usize) {
    if wide { (1024 * LANES, 8, LANES) } else { (256, 64, 1) }
}

/// How batch norm's reductions over channels of so many packs are divided: invocations of a workgroup, and workgroups
/// wanted. `wide` is the variant for GPUs; the other gives each channel to one workgroup. There, a barrier costs as much
/// as dozens of loads for each eight invocations, so a workgroup has eight where they can add a channel.
pub(crate) fn channels(wide: bool, packs: usize) -> (usize, usize) {
    match wide {
        true => (256, 512),
        false if packs <= 8 * NARROW_CHANNELS.0 => (8, 0),
        false => (64, 0),
    }
}

/// For batch norm's reductions on software adapters: the most packs that an invocation adds where there are others to
/// share them, and workgroups wanted before one makes several channels.
pub(crate) const NARROW_CHANNELS: (usize, usize) = (256, 32);

/// The most parts of a mean over a tensor, one workgroup each.
pub(crate) fn mean_parts(kind: AdapterKind) -> usize {
    if kind.is_software() { 8 } else { 512 }
}

/// The most parts of the sum behind a common norm. Every invocation of an update loads all of them.
pub(crate) fn norm_parts(kind: AdapterKind) -> usize {
    if kind.is_software() { 16 } else { 256 }
}

/// Invocations wanted where a sum is split because it is long.
pub(crate) const LONG_SUM: usize = 1 << 14;

/// Rows that fill an adapter, one invocation each.
pub(crate) const ROWS: usize = 2048;

/// For normalisation: the number of rows below which long ones are split, and the fewest terms of a long row.
pub(crate) const FEW_ROWS: (usize, usize) = (512, 4096);

/// Teams wanted for the rows of a normalisation on a software adapter, and the most packs for each invocation.
pub(crate) const NARROW_TEAMS: (usize, usize) = (256, 512);
