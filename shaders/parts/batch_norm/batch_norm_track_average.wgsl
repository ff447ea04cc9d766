//! fills track
//
// Running statistics are averages over all batches so far, this one included, of their means and unbiased
// variances.
@group(0) @binding(4) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> running_var: array<f32>;
// Read alone, but in a buffer of state, which one dispatch can't bind both ways.
@group(0) @binding(6) var<storage, read_write> batches: array<f32>;

fn track(c: u32, mean: f32, variance: f32) {
    let share = 1.0 / batches[0];
    running_mean[c] += share * (mean - running_mean[c]);
    running_var[c] += share * (variance - running_var[c]);
}
