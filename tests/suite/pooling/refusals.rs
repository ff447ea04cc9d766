//! Windows and sizes that are refused, in PyTorch's words.

use super::refused;
use wgrad::ops::pool2d::{
    Average, AvgPool2d, AvgPool2dOptions, LpPool2d, LpPool2dOptions, MaxPool2d, MaxPool2dOptions, Norm,
    Pool2d, Weighting,
};
use wgrad::{Error, Graph};

#[test]
fn windows_that_do_not_fit_are_refused() -> Result<(), Error> {
    let two = Pool2d::new([2, 2]);
    let (large, half) = (usize::MAX, usize::MAX / 2);
    for (pool, shape, words) in [
        (
            Pool2d::new([0, 2]),
            [1, 1, 4, 4],
            "kernel size should be greater than zero, but got 0 along the height",
        ),
        (two.stride([1, 0]), [1, 1, 4, 4], "stride should be greater than zero, but got 0 along the width"),
        (
            two.padding([0, 2]),
            [1, 1, 4, 4],
            "pad should be smaller than or equal to half of kernel size, but got pad=2, kernel_size=2 along the width",
        ),
        (
            two,
            [1, 1, 1, 4],
            "output size is too small: the kernel reaches over 2 along the height, the padded input has 1",
        ),
        (two.stride([large, 1]), [1, 1, 4, 4], "out of range"),
        (Pool2d::new([large, large]), [1, 1, 4, 4], "out of range"),
        (Pool2d::new([1, 1 << 27]).padding([0, 1 << 26]).stride([1, 1 << 27]), [1, 1, 4, 4], ""),
        (Pool2d::new([1 << 20, 1 << 20]).padding([1 << 19, 1 << 19]), [1, 1, 4, 4], "out of range"),
        (two.padding([half, half]), [1, 1, 4, 4], "smaller than or equal to half of kernel size"),
    ] {
        for kind in 0..4 {
            let mut g = Graph::new();
            let x = g.input("x", shape)?;
            let average = Average { windows: pool.into(), weighting: Weighting::Equal };
            let weighted = Average { weighting: Weighting::Distance, ..average };
            let made = g.scoped("layer", |g| match kind {
                0 => g.apply(MaxPool2d(pool.into()), &[x]).map(|made| made[0]),
                1 => g.apply1(AvgPool2d(average), &[x]),
                2 => g.apply1(AvgPool2d(weighted), &[x]),
                _ => g.apply1(LpPool2d(Norm { p: 2.0, pool }), &[x]),
            });
            // Norms take no padding at all.
            let words = if kind == 3 && pool.padding != [0, 0] { "Lp pooling has no padding" } else { words };
            if words.is_empty() {
                made?;
            } else {
                refused(made, words);
            }
        }
    }
    let mut g = Graph::new();
    let x = g.input("x", [1, 1, 4, 4])?;
    let max = MaxPool2dOptions::new([2, 2]);
    let thin = MaxPool2dOptions::new([1, 1]);
    refused(g.max_pool2d(x, thin.dilation([1, 1 << 32])), "out of range");
    refused(g.max_pool2d(x, max.padding([1, 0]).dilation([5, 1])), "a window has no tap in the input of 4");
    refused(g.avg_pool2d(x, AvgPool2dOptions::new([2, 2]).divisor_override(0)), "divisor must be not zero");
    // What options do not have, operators refuse.
    let average = |pool: Pool2d, weighting| AvgPool2d(Average { windows: pool.into(), weighting });
    let max_by = g.apply1(MaxPool2d(two.divisor_override(2).into()), &[x]);
    refused(max_by, "max pooling has no divisor_override, found 2");
    let dilated = g.apply1(average(two.dilation([2, 1]), Weighting::Equal), &[x]);
    refused(dilated, "average pooling has no dilation, found [2, 1]");
    let weighted = g.apply1(average(two.divisor_override(3), Weighting::Distance), &[x]);
    refused(weighted, "has no divisor_override, found 3");
    for p in [0.0, -1.0, f32::NAN, f32::NEG_INFINITY] {
        refused(g.lp_pool2d(x, p, LpPool2dOptions::new([2, 2])), "norm_type must be above 0");
    }
    for output in [[0, 2], [large, 1], [1, large / 2]] {
        let words = if output[0] == 0 { "height must be at least 1, found 0" } else { "out of range" };
        refused(g.adaptive_avg_pool2d(x, output), words);
        refused(g.adaptive_max_pool2d(x, output), words);
    }
    let (y, indices) = g.max_pool2d_with_indices(x, max)?;
    for size in [[6, 4], [0, 4], [large, half]] {
        refused(g.max_unpool2d(y, &indices, size), "invalid output_size");
    }
    refused(g.max_unpool2d(x, &indices, [8, 8]), "expected the winning taps as i32[4], found i32[1]");
    let flat = g.input("flat", [4, 4])?;
    let shape = "expected f32 of shape (N, C, H, W), found f32[4, 4]";
    refused(g.max_pool2d(flat, max), shape);
    refused(g.l2_pool2d(flat, LpPool2dOptions::new([2, 2])), shape);
    refused(g.scoped("head", |g| g.adaptive_max_pool2d(flat, [2, 2])), "adaptive_max_pool2d \"head\"");
    refused(g.global_avg_pool2d(flat), shape);
    Ok(())
}
