//! fills all_weights
//
// The sum of the weights of all classes.
@group(0) @binding(9) var<storage, read> sum_of_weights: array<f32>;

fn all_weights() -> f32 {
    return sum_of_weights[0];
}
