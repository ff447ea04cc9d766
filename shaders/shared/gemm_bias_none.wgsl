// The product as it is.
fn add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> {
    return values;
}
