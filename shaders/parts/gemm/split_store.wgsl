//! uses gemm_shape
//! fills store
//
// Keeps the parts of a split sum apart: (parts x M x N rounded up to 4).
@group(0) @binding(2) var<storage, read_write> split_parts: array<vec4<f32>>;

fn store(part: u32, m: u32, n: u32, values: vec4<f32>) {
    split_parts[(part * M + m) * ((N + 3u) / 4u) + n / 4u] = values;
}
