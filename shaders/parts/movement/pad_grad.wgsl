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
const EXTENT: array<i32, 6> = array(1, 1, 1, 1, 1, 64); // shape
const BEFORE: array<i32, 6> = array(0, 0, 0, 0, 0, 0); // shape
const PADDED: array<i32, 6> = array(1, 1, 1, 1, 1, 64); // shape
const STRIDE: array<u32, 6> = array(64u, 64u, 64u, 64u, 64u, 1u); // shape

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
    let x5 = i32(element % u32(EXTENT[5]));
    var rest = element / u32(EXTENT[5]);
    let x4 = i32(rest % u32(EXTENT[4]));
    rest /= u32(EXTENT[4]);
    let x3 = i32(rest % u32(EXTENT[3]));
    rest /= u32(EXTENT[3]);
    let x2 = i32(rest % u32(EXTENT[2]));
    rest /= u32(EXTENT[2]);
    let x1 = i32(rest % u32(EXTENT[1]));
    let x0 = i32(rest / u32(EXTENT[1]));
    let n0 = count(x0, EXTENT[0], BEFORE[0], PADDED[0]);
    let n1 = count(x1, EXTENT[1], BEFORE[1], PADDED[1]);
    let n2 = count(x2, EXTENT[2], BEFORE[2], PADDED[2]);
    let n3 = count(x3, EXTENT[3], BEFORE[3], PADDED[3]);
    let n4 = count(x4, EXTENT[4], BEFORE[4], PADDED[4]);
    let n5 = count(x5, EXTENT[5], BEFORE[5], PADDED[5]);
    // One loop over all copies: six nested ones take compilers long.
    var sum = Element();
    let all = n0 * n1 * n2 * n3 * n4 * n5;
    let start = i32(i / RESULTS) * COPIES;
    for (var k = start; k < start + min(COPIES, all - start); k++) {
        let p5 = place(x5, k % n5, EXTENT[5], BEFORE[5], PADDED[5]);
        var outer = k / n5;
        let p4 = place(x4, outer % n4, EXTENT[4], BEFORE[4], PADDED[4]);
        outer /= n4;
        let p3 = place(x3, outer % n3, EXTENT[3], BEFORE[3], PADDED[3]);
        outer /= n3;
        let p2 = place(x2, outer % n2, EXTENT[2], BEFORE[2], PADDED[2]);
        outer /= n2;
        let p1 = place(x1, outer % n1, EXTENT[1], BEFORE[1], PADDED[1]);
        outer /= n1;
        let p0 = place(x0, outer, EXTENT[0], BEFORE[0], PADDED[0]);
        if (min(min(p0, p1), min(min(p2, p3), min(p4, p5))) >= 0) {
            sum += dy[u32(p0) * STRIDE[0] + u32(p1) * STRIDE[1] + u32(p2) * STRIDE[2]
                + u32(p3) * STRIDE[3] + u32(p4) * STRIDE[4] + u32(p5) * STRIDE[5]];
        }
    }
    return sum;
}
