//! uses element, conv2d_shape
//! fills made
//
// columns[z][k][n]: the input unrolled, k = (channel, kh, kw), n = (image, oh, ow), z the group.
// What lies in the padding is zero.
@group(0) @binding(0) var<storage, read> input: array<f32>;

fn made(i: u32) -> Element {
    const ROWS = IN * KH * KW;
    const COLUMNS = IMAGES * OH * OW;
    let n = i % COLUMNS;
    let tap = tap_of(i / COLUMNS % ROWS);
    let z = i / (COLUMNS * ROWS);
    let h = i32(n / OW % OH * SH + tap.h * DH) - PH;
    let w = i32(n % OW * SW + tap.w * DW) - PW;
    var value = 0.0;
    if (h >= 0 && h < i32(H) && w >= 0 && w < i32(W)) {
        value = input[(((n / (OH * OW) * GROUPS + z) * IN + tap.channel) * H + u32(h)) * W + u32(w)];
    }
    return value;
}
