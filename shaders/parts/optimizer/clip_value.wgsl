//! uses is_nan
//! fills clip_value
//
// Gradients are brought between -CLIP_VALUE and CLIP_VALUE, element by element; NaN stays.
const CLIP_VALUE: f32 = 1.0; // shape

fn clip_value(gradient: vec4<f32>) -> vec4<f32> {
    return select(clamp(gradient, vec4(-CLIP_VALUE), vec4(CLIP_VALUE)), gradient, are_nan(gradient));
}
