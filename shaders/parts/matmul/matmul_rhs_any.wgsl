//! uses gemm_shape
//! fills rhs
//
// B of any size and orientation: element (k, n) lies at k RHS_ROW + n RHS_COLUMN.
@group(0) @binding(1) var<storage, read> rhs: array<f32>;

const RHS_ROW: u32 = 64u; // shape
const RHS_COLUMN: u32 = 1u; // shape

// Where each of the four columns starts.
alias RhsStart = vec4<u32>;

fn rhs_start(z: u32, n: u32) -> RhsStart {
    return z * (K * N) + min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(N - 1u)) * RHS_COLUMN;
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    if (K % 4u != 0u && k >= K) {
        return vec4<f32>();
    }
    let at = start + k * RHS_ROW;
    return vec4(rhs[at.x], rhs[at.y], rhs[at.z], rhs[at.w]);
}

fn rhs_block(start: RhsStart, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(rhs_row(start, k), rhs_row(start, k + 1u), rhs_row(start, k + 2u), rhs_row(start, k + 3u));
}
