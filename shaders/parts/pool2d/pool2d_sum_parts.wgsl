//! uses element, pool2d_shape, stretch
//! fills made
//! hole term(value: f32, ky: i32, kx: i32) -> f32
//!     by pool2d_average, pool2d_weighted, pool2d_lp
//
// parts[p][o] = sum of term(tap) over every PARTS-th tap in the input of window o, from tap p on: for windows
// too large for one invocation (pool2d_sum).
//
// Source NCHW. Stretches of taps are added in row-major order, and those in order. pool2d_average, pool2d_weighted
// and pool2d_lp say what a tap gives.
@group(0) @binding(0) var<storage, read> source: array<f32>;

const OUTPUTS: u32 = 16u; // shape
const PARTS: u32 = 2u; // shape

fn made(i: u32) -> Element {
    let o = i32(i % OUTPUTS);
    let window = window_of(o / OUT_W % OUT_H, o % OUT_W);
    let plane = o / (OUT_H * OUT_W) * (IN_H * IN_W);
    let taps = u32(window.rows * window.columns);
    var tap = i / OUTPUTS;
    var sum = 0.0;
    while (tap < taps) {
        var stretch = 0.0;
        for (var k = 0u; k < STRETCH && tap < taps; k++) {
            let ky = i32(tap / u32(window.columns));
            let kx = i32(tap % u32(window.columns));
            let y = window.top + ky * DILATION_H;
            let x = window.left + kx * DILATION_W;
            stretch += select(0.0, term(source[place(plane, y, x)], ky, kx), within(y, x));
            tap += PARTS;
        }
        sum += stretch;
    }
    return sum;
}
