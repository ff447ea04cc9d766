//! fills bias_of
//
// The bias of a channel, for winograd_output.
@group(0) @binding(4) var<storage, read> bias: array<f32>;

fn bias_of(r: u32) -> f32 {
    return bias[r];
}
