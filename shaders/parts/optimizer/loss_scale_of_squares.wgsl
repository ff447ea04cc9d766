//! fills unscaled, is_overflow
//
// Gradients of a loss that was multiplied by loss_scale[0]: unscaled, and whether one of four is not finite.
@group(0) @binding(3) var<storage, read> loss_scale: array<f32>;

fn unscaled(gradient: vec4<f32>) -> vec4<f32> {
    return (1.0 / loss_scale[0]) * gradient;
}

fn is_overflow(gradient: vec4<f32>) -> bool {
    return any((bitcast<vec4<u32>>(gradient) & vec4(0x7fffffffu)) >= vec4(0x7f800000u));
}
