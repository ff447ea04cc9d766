//! fills add_bias
//
// Adds a bias along rows: one number for each row, counted through all batches: a channel.
@group(0) @binding(3) var<storage, read> bias: array<f32>;

fn add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> {
    return values + vec4(bias[row]);
}
