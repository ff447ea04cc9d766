//! fills border
//
// Padding mirrors the source at its first and its last element, which are not repeated.

// The source's coordinate that t stands for.
fn border(t: i32, extent: i32) -> i32 {
    let last = extent - 1;
    return last - abs(last - abs(t));
}

// How many times to ask for the copies of a coordinate.
fn copies(x: i32, extent: i32, before: i32, padded: i32) -> i32 {
    return 3;
}

// Where copy k of coordinate x lies in the padded dimension; negative where there is none.
fn copy_of(x: i32, k: i32, extent: i32, before: i32, padded: i32) -> i32 {
    let last = extent - 1;
    if (k == 0) {
        return select(-1, before - x, x > 0);
    }
    if (k == 1) {
        return before + x;
    }
    let mirrored = before + last + (last - x);
    return select(-1, mirrored, x < last && mirrored < padded);
}
