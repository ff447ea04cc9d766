// No gradient is scaled.
fn gradient_scale() -> f32 {
    return 1.0;
}
