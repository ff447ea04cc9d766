// Adds a bias along rows: one number for each m.
@group(0) @binding(3) var<storage, read> bias: array<f32>;

fn epilogue(values: vec4<f32>, m: u32, n: u32) -> vec4<f32> {
    return values + vec4(bias[m]);
}
