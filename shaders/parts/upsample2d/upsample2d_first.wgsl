//! hole interpolation
//!     reach(scale: f32) -> i32
//!     index(at: i32, scale: f32, size: i32) -> i32
//!     guess(wanted: i32, scale: f32) -> f32
//!     weight(at: i32, i: i32, scale: f32, size: i32) -> f32
//!     by upsample2d_at_nearest, upsample2d_at_bilinear
//
// Which outputs an input element is in, from the rule that says which elements an output is made of.

// The first output along a dimension whose index is `wanted` or more.
fn first(wanted: i32, scale: f32, size: i32, outputs: i32) -> i32 {
    if (wanted <= 0) {
        return 0;
    }
    if (wanted >= size || scale == 0.0) {
        return outputs;
    }
    // Rounding may put the guess beside what `index` says, by which the other direction goes.
    var at = i32(clamp(ceil(guess(wanted, scale)), 0.0, f32(outputs)));
    while (at > 0 && index(at - 1, scale, size) >= wanted) {
        at--;
    }
    while (at < outputs && index(at, scale, size) < wanted) {
        at++;
    }
    return at;
}
