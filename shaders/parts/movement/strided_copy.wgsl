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
const SIZE_1: u32 = 1u; // shape
const SIZE_2: u32 = 1u; // shape
const SIZE_3: u32 = 1u; // shape
const SIZE_4: u32 = 1u; // shape
const SIZE_5: u32 = 64u; // shape
const START_0: i32 = 0; // shape
const START_1: i32 = 0; // shape
const START_2: i32 = 0; // shape
const START_3: i32 = 0; // shape
const START_4: i32 = 0; // shape
const START_5: i32 = 0; // shape
const STEP_0: i32 = 1; // shape
const STEP_1: i32 = 1; // shape
const STEP_2: i32 = 1; // shape
const STEP_3: i32 = 1; // shape
const STEP_4: i32 = 1; // shape
const STEP_5: i32 = 1; // shape
const SPREAD_0: u32 = 1u; // shape
const SPREAD_1: u32 = 1u; // shape
const SPREAD_2: u32 = 1u; // shape
const SPREAD_3: u32 = 1u; // shape
const SPREAD_4: u32 = 1u; // shape
const SPREAD_5: u32 = 1u; // shape
const EXTENT_0: i32 = 1; // shape
const EXTENT_1: i32 = 1; // shape
const EXTENT_2: i32 = 1; // shape
const EXTENT_3: i32 = 1; // shape
const EXTENT_4: i32 = 1; // shape
const EXTENT_5: i32 = 64; // shape
const STRIDE_0: u32 = 0u; // shape
const STRIDE_1: u32 = 0u; // shape
const STRIDE_2: u32 = 0u; // shape
const STRIDE_3: u32 = 0u; // shape
const STRIDE_4: u32 = 0u; // shape
const STRIDE_5: u32 = 1u; // shape

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
    let c5 = coordinate(START_5 + i32(o % SIZE_5) * STEP_5, SPREAD_5, EXTENT_5);
    var rest = o / SIZE_5;
    let c4 = coordinate(START_4 + i32(rest % SIZE_4) * STEP_4, SPREAD_4, EXTENT_4);
    rest /= SIZE_4;
    let c3 = coordinate(START_3 + i32(rest % SIZE_3) * STEP_3, SPREAD_3, EXTENT_3);
    rest /= SIZE_3;
    let c2 = coordinate(START_2 + i32(rest % SIZE_2) * STEP_2, SPREAD_2, EXTENT_2);
    rest /= SIZE_2;
    let c1 = coordinate(START_1 + i32(rest % SIZE_1) * STEP_1, SPREAD_1, EXTENT_1);
    rest /= SIZE_1;
    let c0 = coordinate(START_0 + i32(rest) * STEP_0, SPREAD_0, EXTENT_0);
    if (min(min(c0, c1), min(min(c2, c3), min(c4, c5))) < 0) {
        var bits = FILL;
        return Element(bitcast<f32>(bits));
    }
    return source[u32(c0) * STRIDE_0 + u32(c1) * STRIDE_1 + u32(c2) * STRIDE_2
        + u32(c3) * STRIDE_3 + u32(c4) * STRIDE_4 + u32(c5) * STRIDE_5];
}
