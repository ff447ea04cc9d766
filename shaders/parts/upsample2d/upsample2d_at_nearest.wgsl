//! fills interpolation
//
// Output `at` is the input at floor(at scale), computed in f32 as PyTorch does.

// How far behind an input element the index of an output lies that takes part of it.
fn reach(scale: f32) -> i32 {
    return 0;
}

fn index(at: i32, scale: f32, size: i32) -> i32 {
    return min(i32(floor(f32(at) * scale)), size - 1);
}

fn guess(wanted: i32, scale: f32) -> f32 {
    return f32(wanted) / scale;
}

// How much of input element `i` is in output `at`.
fn weight(at: i32, i: i32, scale: f32, size: i32) -> f32 {
    return 1.0;
}
