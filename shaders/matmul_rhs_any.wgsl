// B of any size and orientation: element (k, n) lies at k RHS_ROW + n RHS_COLUMN.
@group(0) @binding(1) var<storage, read> rhs: array<f32>;

const RHS_ROW: u32 = 64u; // shape
const RHS_COLUMN: u32 = 1u; // shape

fn rhs_row(z: u32, k: u32, n: u32) -> vec4<f32> {
    if (K % 4u != 0u && k >= K) {
        return vec4<f32>();
    }
    let at = z * (K * N) + k * RHS_ROW;
    return vec4<f32>(
        rhs[at + min(n, N - 1u) * RHS_COLUMN],
        rhs[at + min(n + 1u, N - 1u) * RHS_COLUMN],
        rhs[at + min(n + 2u, N - 1u) * RHS_COLUMN],
        rhs[at + min(n + 3u, N - 1u) * RHS_COLUMN],
    );
}

fn rhs_block(z: u32, k: u32, n: u32) -> mat4x4<f32> {
    return mat4x4<f32>(rhs_row(z, k, n), rhs_row(z, k + 1u, n), rhs_row(z, k + 2u, n), rhs_row(z, k + 3u, n));
}
