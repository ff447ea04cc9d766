// What follows from a channel's moments: with inverse = 1 / sqrt(variance + EPSILON), by the biased
// variance, statistics[c] = (shift, mean - shift, inverse, weight * inverse); and running_mean and
// running_var move by MOMENTUM to the mean and the unbiased variance. The mean less the channel's first
// element and not the mean itself, which, rounded to f32, would cost digits where it is far from zero.
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> statistics: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> running_var: array<f32>;

const EPSILON: f32 = 1e-5; // shape
const MOMENTUM: f32 = 0.1; // shape
const ELEMENTS: f32 = 8.0; // shape

fn conclude(c: u32, part: u32, shift: f32, moments: vec3<f32>) {
    let inverse = inverseSqrt(moments.z / ELEMENTS + EPSILON);
    statistics[c] = vec4(shift, moments.y, inverse, weight[c] * inverse);
    let unbiased = moments.z / (ELEMENTS - 1.0);
    running_mean[c] = (1.0 - MOMENTUM) * running_mean[c] + MOMENTUM * (shift + moments.y);
    running_var[c] = (1.0 - MOMENTUM) * running_var[c] + MOMENTUM * unbiased;
}
