//! uses element, upsample2d_shape, upsample2d_first, stretch
//! fills made
//
// parts[p][n][i][inner] = sum of weight(o, i) gradient[n][o][inner] over every PARTS-th of the outputs o along one
// dimension that input element i is in, from part p on: upsample2d_grad one dimension at a time, for elements
// that are in too many outputs for one invocation.
//
// The dimension stands in the place of the width, INNER elements lie behind it. There are RESULTS input elements.
// Stretches are added in order, and those in order.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;

const RESULTS: u32 = 16u; // shape
const PARTS: u32 = 2u; // shape
const INNER: u32 = 1u; // shape

fn made(number: u32) -> Element {
    let i = number % RESULTS;
    let at = i32(i / INNER % u32(IN_W));
    let line = i / (INNER * u32(IN_W)) * (u32(OUT_W) * INNER) + i % INNER;
    let end = first(at + 1, SCALE_W, IN_W, OUT_W);
    var o = first(at - reach(SCALE_W), SCALE_W, IN_W, OUT_W) + i32(number / RESULTS);
    var sum = 0.0;
    while (o < end) {
        var stretch = 0.0;
        for (var k = 0u; k < STRETCH && o < end; k++) {
            stretch += weight(o, at, SCALE_W, IN_W) * gradient[line + u32(o) * INNER];
            o += i32(PARTS);
        }
        sum += stretch;
    }
    return sum;
}
