//! fills interpolation
//
// Output `at` lies between the input elements at floor(position) and the one behind it. The first and last
// of both lie on each other with ALIGN_CORNERS; otherwise elements are squares, and what lies before the
// middle of the first is taken to lie on it.
const ALIGN_CORNERS: bool = false; // shape

// How far behind an input element the index of an output lies that takes part of it. Where the size stays the
// same, elements stay what they are, as in PyTorch, whatever lies behind them.
fn reach(scale: f32) -> i32 {
    return select(1, 0, scale == 1.0);
}

// The element behind `i` that takes part, which is the last again behind the last.
fn next(i: i32, scale: f32, size: i32) -> i32 {
    return min(i + reach(scale), size - 1);
}

fn position(at: i32, scale: f32) -> f32 {
    if (ALIGN_CORNERS) {
        return f32(at) * scale;
    }
    return max((f32(at) + 0.5) * scale - 0.5, 0.0);
}

fn index(at: i32, scale: f32, size: i32) -> i32 {
    return min(i32(floor(position(at, scale))), size - 1);
}

fn guess(wanted: i32, scale: f32) -> f32 {
    if (ALIGN_CORNERS) {
        return f32(wanted) / scale;
    }
    return (f32(wanted) + 0.5) / scale - 0.5;
}

// What lies between two elements, by how much of the second is in it.
fn between(first: f32, second: f32, share: f32, scale: f32) -> f32 {
    if (scale == 1.0) {
        return first;
    }
    return (1.0 - share) * first + share * second;
}

// How much of the element behind index(at) is in output `at`.
fn behind(at: i32, scale: f32, size: i32) -> f32 {
    return clamp(position(at, scale) - f32(index(at, scale, size)), 0.0, 1.0);
}

// How much of input element `i` is in output `at`: behind the last element lies the last again.
fn weight(at: i32, i: i32, scale: f32, size: i32) -> f32 {
    let low = index(at, scale, size);
    if (scale == 1.0) {
        return 1.0;
    }
    let share = behind(at, scale, size);
    return select(0.0, 1.0 - share, low == i) + select(0.0, share, next(low, scale, size) == i);
}
