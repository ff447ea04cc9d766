//! fills weight_of
//
// The weight of a channel.
@group(0) @binding(2) var<storage, read> weight: array<f32>;

fn weight_of(c: u32) -> f32 {
    return weight[c];
}
