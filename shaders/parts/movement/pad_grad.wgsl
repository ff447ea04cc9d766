//! uses element
//! fills made
//! hole border
//!     copies(x: i32, extent: i32, before: i32, padded: i32) -> i32
//!     copy_of(x: i32, k: i32, extent: i32, before: i32, padded: i32) -> i32
//!     by border_circular, border_reflect, border_replicate
//
// dx[i] = sum of dy over the places to which padding copied element i.
//
// In each of six dimensions the input has EXTENT coordinates, with BEFORE in front of them in the padded
// tensor, which has PADDED of them, STRIDE apart. What `copies` and `copy_of` (border_*) say of
// each is added in the order of the padded tensor. Shapes of fewer dimensions have ones on the left.
//
// Where an element has too many copies for one invocation, dx holds PARTS parts of each of the RESULTS elements,
// one behind the other, of COPIES copies.
@group(0) @binding(0) var<storage, read> dy: array<Element>;

const RESULTS: u32 = 64u; // shape
const PARTS: u32 = 1u; // shape
const COPIES: i32 = 2147483647; // shape
const EXTENT_0: i32 = 1; // shape
const EXTENT_1: i32 = 1; // shape
const EXTENT_2: i32 = 1; // shape
const EXTENT_3: i32 = 1; // shape
const EXTENT_4: i32 = 1; // shape
const EXTENT_5: i32 = 64; // shape
const BEFORE_0: i32 = 0; // shape
const BEFORE_1: i32 = 0; // shape
const BEFORE_2: i32 = 0; // shape
const BEFORE_3: i32 = 0; // shape
const BEFORE_4: i32 = 0; // shape
const BEFORE_5: i32 = 0; // shape
const PADDED_0: i32 = 1; // shape
const PADDED_1: i32 = 1; // shape
const PADDED_2: i32 = 1; // shape
const PADDED_3: i32 = 1; // shape
const PADDED_4: i32 = 1; // shape
const PADDED_5: i32 = 64; // shape
const STRIDE_0: u32 = 64u; // shape
const STRIDE_1: u32 = 64u; // shape
const STRIDE_2: u32 = 64u; // shape
const STRIDE_3: u32 = 64u; // shape
const STRIDE_4: u32 = 64u; // shape
const STRIDE_5: u32 = 1u; // shape

// A dimension without padding has one copy of everything.
fn count(x: i32, extent: i32, before: i32, padded: i32) -> i32 {
    if (extent == padded) {
        return 1;
    }
    return copies(x, extent, before, padded);
}

fn place(x: i32, k: i32, extent: i32, before: i32, padded: i32) -> i32 {
    if (extent == padded) {
        return x;
    }
    return copy_of(x, k, extent, before, padded);
}

fn made(i: u32) -> Element {
    let element = i % RESULTS;
    let x5 = i32(element % u32(EXTENT_5));
    var rest = element / u32(EXTENT_5);
    let x4 = i32(rest % u32(EXTENT_4));
    rest /= u32(EXTENT_4);
    let x3 = i32(rest % u32(EXTENT_3));
    rest /= u32(EXTENT_3);
    let x2 = i32(rest % u32(EXTENT_2));
    rest /= u32(EXTENT_2);
    let x1 = i32(rest % u32(EXTENT_1));
    let x0 = i32(rest / u32(EXTENT_1));
    let n0 = count(x0, EXTENT_0, BEFORE_0, PADDED_0);
    let n1 = count(x1, EXTENT_1, BEFORE_1, PADDED_1);
    let n2 = count(x2, EXTENT_2, BEFORE_2, PADDED_2);
    let n3 = count(x3, EXTENT_3, BEFORE_3, PADDED_3);
    let n4 = count(x4, EXTENT_4, BEFORE_4, PADDED_4);
    let n5 = count(x5, EXTENT_5, BEFORE_5, PADDED_5);
    // One loop over all copies: six nested ones take compilers long.
    var sum = Element();
    let all = n0 * n1 * n2 * n3 * n4 * n5;
    let start = i32(i / RESULTS) * COPIES;
    for (var k = start; k < start + min(COPIES, all - start); k++) {
        let p5 = place(x5, k % n5, EXTENT_5, BEFORE_5, PADDED_5);
        var outer = k / n5;
        let p4 = place(x4, outer % n4, EXTENT_4, BEFORE_4, PADDED_4);
        outer /= n4;
        let p3 = place(x3, outer % n3, EXTENT_3, BEFORE_3, PADDED_3);
        outer /= n3;
        let p2 = place(x2, outer % n2, EXTENT_2, BEFORE_2, PADDED_2);
        outer /= n2;
        let p1 = place(x1, outer % n1, EXTENT_1, BEFORE_1, PADDED_1);
        outer /= n1;
        let p0 = place(x0, outer, EXTENT_0, BEFORE_0, PADDED_0);
        if (min(min(p0, p1), min(min(p2, p3), min(p4, p5))) >= 0) {
            sum += dy[u32(p0) * STRIDE_0 + u32(p1) * STRIDE_1 + u32(p2) * STRIDE_2
                + u32(p3) * STRIDE_3 + u32(p4) * STRIDE_4 + u32(p5) * STRIDE_5];
        }
    }
    return sum;
}
