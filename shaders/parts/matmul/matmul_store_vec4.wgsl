//! uses gemm_shape
//! fills store
//! hole epilogue(at: u32, value: vec4<f32>) -> vec4<f32>
//!     by the plan
//
// C as a plain (parts x M x N) tensor with N divisible by 4.
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;

fn store(part: u32, m: u32, n: u32, values: vec4<f32>) {
    let at = ((part * M + m) * N + n) / 4u;
    result[at] = epilogue(at, values);
}
