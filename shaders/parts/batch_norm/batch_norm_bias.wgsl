//! fills bias_of
//
// The bias of a channel.
@group(0) @binding(2) var<storage, read> bias: array<f32>;

fn bias_of(c: u32) -> f32 {
    return bias[c];
}
