//! fills finalize
//! hole weight_of(c: u32) -> f32 { return 1.0; }
//!     by batch_norm_weight
//! hole track(c: u32, mean: f32, variance: f32) {}
//!     by batch_norm_track, batch_norm_track_average
//
// What follows from a channel's moments: with inverse = 1 / sqrt(variance + EPSILON), by the biased
// variance, statistics[c] = (shift, mean - shift, inverse, weight * inverse). The mean less the channel's
// first element and not the mean itself, which, rounded to f32, would cost digits where it is far from zero.
// `track` moves running statistics, where there are any.
@group(0) @binding(3) var<storage, read_write> statistics: array<vec4<f32>>;

const EPSILON: f32 = 1e-5; // shape
const ELEMENTS: f32 = 8.0; // shape

fn finalize(c: u32, part: u32, shift: f32, moments: vec3<f32>) {
    let inverse = inverseSqrt(moments.z / ELEMENTS + EPSILON);
    statistics[c] = vec4(shift, moments.y, inverse, weight_of(c) * inverse);
    track(c, shift + moments.y, moments.z / (ELEMENTS - 1.0));
}
