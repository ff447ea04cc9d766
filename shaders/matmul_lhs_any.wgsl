// A of any size and orientation: element (m, k) lies at m LHS_ROW + k LHS_COLUMN.
@group(0) @binding(0) var<storage, read> lhs: array<f32>;

const LHS_ROW: u32 = 64u; // shape
const LHS_COLUMN: u32 = 1u; // shape

fn lhs_row(z: u32, m: u32, k: u32) -> vec4<f32> {
    let at = z * (M * K) + min(m, M - 1u) * LHS_ROW + k * LHS_COLUMN;
    var row = vec4<f32>(lhs[at], 0.0, 0.0, 0.0);
    if (K % 4u == 0u || k + 1u < K) {
        row.y = lhs[at + LHS_COLUMN];
    }
    if (K % 4u == 0u || k + 2u < K) {
        row.z = lhs[at + 2u * LHS_COLUMN];
    }
    if (K % 4u == 0u || k + 3u < K) {
        row.w = lhs[at + 3u * LHS_COLUMN];
    }
    return row;
}

fn lhs_block(z: u32, m: u32, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(lhs_row(z, m, k), lhs_row(z, m + 1u, k), lhs_row(z, m + 2u, k), lhs_row(z, m + 3u, k));
}
