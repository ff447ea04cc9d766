//! fills spread
//! hole lhs_column(start: u32, k: u32) -> vec4<f32>
//!     by matmul_lhs_columns
//
// For gemm_subgroup: eight rows of A where it is stored transposed. A vec4 along m is a lane's load:
// four lanes have k to k + 3 of the first four rows, four have those of the others.
alias Rows = array<vec4<f32>, 8>;

fn share_start(z: u32, m: u32, lane: u32) -> u32 {
    return lhs_start(z, m + lane / 4u * 4u);
}

fn load_share(start: u32, k: u32, lane: u32) -> vec4<f32> {
    return lhs_column(start, k + lane % 4u);
}

// c + a b for eight rows; b is rows k to k + 3 of B.
fn spread(c: Rows, a: vec4<f32>, b: mat4x4<f32>) -> Rows {
    let low = transpose(mat4x4<f32>(
        subgroupBroadcast(a, 0u),
        subgroupBroadcast(a, 1u),
        subgroupBroadcast(a, 2u),
        subgroupBroadcast(a, 3u),
    ));
    let high = transpose(mat4x4<f32>(
        subgroupBroadcast(a, 4u),
        subgroupBroadcast(a, 5u),
        subgroupBroadcast(a, 6u),
        subgroupBroadcast(a, 7u),
    ));
    return Rows(
        c[0] + multiply_row(low[0], b),
        c[1] + multiply_row(low[1], b),
        c[2] + multiply_row(low[2], b),
        c[3] + multiply_row(low[3], b),
        c[4] + multiply_row(high[0], b),
        c[5] + multiply_row(high[1], b),
        c[6] + multiply_row(high[2], b),
        c[7] + multiply_row(high[3], b),
    );
}
