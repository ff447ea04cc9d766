//! fills border
//
// Padding repeats the source's first and its last element.

// The source's coordinate that t stands for.
fn border(t: i32, extent: i32) -> i32 {
    return clamp(t, 0, extent - 1);
}

// How many times to ask for the copies of a coordinate.
fn copies(x: i32, extent: i32, before: i32, padded: i32) -> i32 {
    var count = 1;
    if (x == 0) {
        count += before;
    }
    if (x == extent - 1) {
        count += padded - extent - before;
    }
    return count;
}

// Where copy k of coordinate x lies in the padded dimension.
fn copy_of(x: i32, k: i32, extent: i32, before: i32, padded: i32) -> i32 {
    return select(before + x, 0, x == 0) + k;
}
