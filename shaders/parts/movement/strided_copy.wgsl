//! uses element
//! fills made
//! hole border(t: i32, extent: i32) -> i32
//!     by border_fill, border_circular, border_reflect, border_replicate
//
// The element of the source that output element o copies, or the fill where o reaches outside it.
//
// In each of six dimensions, output coordinate c reaches t = START + c * STEP; where SPREAD divides t, that
// is coordinate t / SPREAD of the source, which has EXTENT of them, STRIDE apart. What lies outside is
// `border`'s to say (border_*). Shapes of fewer dimensions have ones on the left. Of an
// `Element` of four, the innermost numbers count fours.
@group(0) @binding(0) var<storage, read> source: array<Element>;

// The bits of what stands where nothing is copied: a constant expression can't be infinite.
const FILL: u32 = 0u; // shape
const SIZE: array<u32, 6> = array(1u, 1u, 1u, 1u, 1u, 64u); // shape
const START: array<i32, 6> = array(0, 0, 0, 0, 0, 0); // shape
const STEP: array<i32, 6> = array(1, 1, 1, 1, 1, 1); // shape
const SPREAD: array<u32, 6> = array(1u, 1u, 1u, 1u, 1u, 1u); // shape
const EXTENT: array<i32, 6> = array(1, 1, 1, 1, 1, 64); // shape
const STRIDE: array<u32, 6> = array(0u, 0u, 0u, 0u, 0u, 1u); // shape

// The source's coordinate that t reaches; negative for none.
fn coordinate(t: i32, spread: u32, extent: i32) -> i32 {
    if (spread == 1u) {
        return border(t, extent);
    }
    if (t < 0 || u32(t) % spread != 0u) {
        return -1;
    }
    return border(i32(u32(t) / spread), extent);
}

fn made(o: u32) -> Element {
    let c5 = coordinate(START[5] + i32(o % SIZE[5]) * STEP[5], SPREAD[5], EXTENT[5]);
    var rest = o / SIZE[5];
    let c4 = coordinate(START[4] + i32(rest % SIZE[4]) * STEP[4], SPREAD[4], EXTENT[4]);
    rest /= SIZE[4];
    let c3 = coordinate(START[3] + i32(rest % SIZE[3]) * STEP[3], SPREAD[3], EXTENT[3]);
    rest /= SIZE[3];
    let c2 = coordinate(START[2] + i32(rest % SIZE[2]) * STEP[2], SPREAD[2], EXTENT[2]);
    rest /= SIZE[2];
    let c1 = coordinate(START[1] + i32(rest % SIZE[1]) * STEP[1], SPREAD[1], EXTENT[1]);
    rest /= SIZE[1];
    let c0 = coordinate(START[0] + i32(rest) * STEP[0], SPREAD[0], EXTENT[0]);
    if (min(min(c0, c1), min(min(c2, c3), min(c4, c5))) < 0) {
        var bits = FILL;
        return Element(bitcast<f32>(bits));
    }
    return source[u32(c0) * STRIDE[0] + u32(c1) * STRIDE[1] + u32(c2) * STRIDE[2]
        + u32(c3) * STRIDE[3] + u32(c4) * STRIDE[4] + u32(c5) * STRIDE[5]];
}
