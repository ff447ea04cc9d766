//! uses update_by_rate
//! fills rule
//
// Moves p towards g by the share rate, as PyTorch's lerp, whose two forms are exact at both ends:
//   p + rate * (g - p)  below a share of a half,  g - (1 - rate) * (g - p)  from there on
fn update(scales: Scales, p: vec4<f32>, g: vec4<f32>, state: State) -> Updated {
    let way = g - p;
    let near = abs(scales.rate) < 0.5;
    return Updated(select(g - (1.0 - scales.rate) * way, p + scales.rate * way, near), state);
}
