//! uses is_nan
//! fills gradient_scale
//
// All gradients are scaled by min(1, CLIP_NORM / (norm + 1e-6)), where norm is the root of the sum of
// all their squares. Every invocation adds the parts of that sum (gradient_squares) in one order.
@group(0) @binding(7) var<storage, read> squares_of_gradients: array<vec4<f32>>;

const CLIP_NORM: f32 = 1.0; // shape
const PARTS: u32 = 4u; // shape

fn gradient_scale() -> f32 {
    var sum = vec4(0.0);
    for (var i = 0u; i < PARTS / 4u; i++) {
        sum += squares_of_gradients[i];
    }
    let norm = sqrt((sum.x + sum.y) + (sum.z + sum.w));
    let scale = CLIP_NORM / (norm + 1e-6);
    return select(min(1.0, scale), scale, is_nan(scale));
}
