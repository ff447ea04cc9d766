//! fills track
//
// Running statistics move by MOMENTUM to a batch's mean and unbiased variance.
@group(0) @binding(4) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> running_var: array<f32>;

const MOMENTUM: f32 = 0.1; // shape

fn track(c: u32, mean: f32, variance: f32) {
    running_mean[c] = (1.0 - MOMENTUM) * running_mean[c] + MOMENTUM * mean;
    running_var[c] = (1.0 - MOMENTUM) * running_var[c] + MOMENTUM * variance;
}
