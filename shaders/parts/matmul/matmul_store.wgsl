//! uses gemm_shape
//! fills store
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// C as a plain (parts x M x N) tensor of any N.
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

fn store(part: u32, m: u32, n: u32, values: vec4<f32>) {
    let at = (part * M + m) * N + n;
    result[at] = epilogue(at, values.x);
    if (n + 1u < N) {
        result[at + 1u] = epilogue(at + 1u, values.y);
    }
    if (n + 2u < N) {
        result[at + 2u] = epilogue(at + 2u, values.z);
    }
    if (n + 3u < N) {
        result[at + 3u] = epilogue(at + 3u, values.w);
    }
}
