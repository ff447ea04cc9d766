// Planes of IN_H x IN_W made into planes of OUT_H x OUT_W. SCALE is the step in the input from one output
// to the next. `index` of upsample2d_at_nearest or upsample2d_at_bilinear says from which input element output `at`
// along a dimension starts; it never falls as `at` grows.
const IN_H: i32 = 4; // shape
const IN_W: i32 = 4; // shape
const OUT_H: i32 = 8; // shape
const OUT_W: i32 = 8; // shape
const SCALE_H: f32 = 0.5; // shape
const SCALE_W: f32 = 0.5; // shape
