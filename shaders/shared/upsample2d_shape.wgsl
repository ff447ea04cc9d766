// Planes of IN_H x IN_W made into planes of OUT_H x OUT_W. SCALE is the step in the input from one output
// to the next. Which input element output `at` along a dimension starts from says `index` of
// shared/upsample2d_nearest or shared/upsample2d_bilinear; it never falls as `at` grows.
const IN_H: i32 = 4; // shape
const IN_W: i32 = 4; // shape
const OUT_H: i32 = 8; // shape
const OUT_W: i32 = 8; // shape
const SCALE_H: f32 = 0.5; // shape
const SCALE_W: f32 = 0.5; // shape

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
