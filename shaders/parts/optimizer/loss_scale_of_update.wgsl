//! fills unscaled, gradient_scale, is_skipped
//
// Gradients of a loss that was multiplied by a scale, as the kernel loss_scale judges them.
@group(0) @binding(7) var<storage, read> verdict: array<vec4<f32>>;

fn unscaled(gradient: vec4<f32>) -> vec4<f32> {
    return verdict[0].x * gradient;
}

fn gradient_scale() -> f32 {
    return verdict[0].y;
}

fn is_skipped() -> bool {
    return verdict[0].z > 0.0;
}
