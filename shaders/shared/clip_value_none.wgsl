// Gradients stay as they are.
fn clip_value(gradient: vec4<f32>) -> vec4<f32> {
    return gradient;
}
