//! uses gemm_shape
//! fills store
//! hole epilogue(at: u32, value: vec4<f32>) -> vec4<f32>
//!     by the plan
//
// C into an (image, channel, pixel) tensor with a plane divisible by 4: row m is a channel of
// group z, column n = (image, pixel).
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;

const PIXELS: u32 = 64u; // shape

fn store(z: u32, m: u32, n: u32, values: vec4<f32>) {
    let at = (((n / PIXELS * BATCHES + z) * M + m) * PIXELS + n % PIXELS) / 4u;
    result[at] = epilogue(at, values);
}
