//! fills border
//
// Padding goes on at the source's other end. It is no longer than the source.

// The source's coordinate that t stands for.
fn border(t: i32, extent: i32) -> i32 {
    if (t < 0) {
        return t + extent;
    }
    return select(t, t - extent, t >= extent);
}

// How many times to ask for the copies of a coordinate.
fn copies(x: i32, extent: i32, before: i32, padded: i32) -> i32 {
    return 3;
}

// Where copy k of coordinate x lies in the padded dimension; negative where there is none.
fn copy_of(x: i32, k: i32, extent: i32, before: i32, padded: i32) -> i32 {
    let at = before + x + (k - 1) * extent;
    return select(-1, at, at < padded);
}
