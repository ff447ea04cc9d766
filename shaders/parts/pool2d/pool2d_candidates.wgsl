//! uses pool2d_sliding
//! fills candidates
//
// Windows of pool2d_sliding that may cover an element along a dimension, the last first, in whichever
// way leaves the fewest to look at: those over the element, one for each tap that the element may be, or
// all windows there are.
const CANDIDATES_H: u32 = u32(min(min(COVERS_H, KERNEL_H), OUT_H));
const CANDIDATES_W: u32 = u32(min(min(COVERS_W, KERNEL_W), OUT_W));

fn candidate_row(y: i32, k: i32) -> Cover {
    if (COVERS_H <= min(KERNEL_H, OUT_H)) {
        return cover_row(y, k);
    }
    return candidate(y + PADDING_H, k, STRIDE_H, DILATION_H, KERNEL_H, OUT_H);
}

fn candidate_column(x: i32, k: i32) -> Cover {
    if (COVERS_W <= min(KERNEL_W, OUT_W)) {
        return cover_column(x, k);
    }
    return candidate(x + PADDING_W, k, STRIDE_W, DILATION_W, KERNEL_W, OUT_W);
}

fn candidate(at: i32, k: i32, stride: i32, dilation: i32, kernel: i32, windows: i32) -> Cover {
    if (kernel <= windows) {
        // The window whose tap k the element is.
        let start = max(at - k * dilation, 0);
        let window = i32(u32(start) / u32(stride));
        let hits = window < windows && at - window * stride == k * dilation;
        return Cover(min(window, windows - 1), k, hits);
    }
    let window = windows - 1 - k;
    let offset = at - window * stride;
    let tap = i32(u32(max(offset, 0)) / u32(dilation));
    return Cover(window, tap, tap < kernel && tap * dilation == offset);
}
