//! uses gemm_lhs_rows
//! fills spread
//
// For gemm_subgroup: eight rows of A, a row in each of eight lanes. A vec4 along k is a lane's load.
alias Rows = array<vec4<f32>, 8>;

fn share_start(z: u32, m: u32, lane: u32) -> u32 {
    return lhs_start(z, m + lane);
}

fn load_share(start: u32, k: u32, lane: u32) -> vec4<f32> {
    return lhs_row(start, k);
}

// c + a b for eight rows; b is rows k to k + 3 of B.
fn spread(c: Rows, a: vec4<f32>, b: mat4x4<f32>) -> Rows {
    return Rows(
        c[0] + multiply_row(subgroupBroadcast(a, 0u), b),
        c[1] + multiply_row(subgroupBroadcast(a, 1u), b),
        c[2] + multiply_row(subgroupBroadcast(a, 2u), b),
        c[3] + multiply_row(subgroupBroadcast(a, 3u), b),
        c[4] + multiply_row(subgroupBroadcast(a, 4u), b),
        c[5] + multiply_row(subgroupBroadcast(a, 5u), b),
        c[6] + multiply_row(subgroupBroadcast(a, 6u), b),
        c[7] + multiply_row(subgroupBroadcast(a, 7u), b),
    );
}
