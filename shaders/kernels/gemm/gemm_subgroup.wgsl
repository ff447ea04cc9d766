//! uses group, gemm_shape, gemm_product, gemm_store
//! holes lhs, rhs, sum_end of gemm_product; store, add_bias of gemm_store
//! hole spread
//!     share_start(z: u32, m: u32, lane: u32) -> u32
//!     load_share(start: u32, k: u32, lane: u32) -> vec4<f32>
//!     spread(c: Rows, a: vec4<f32>, b: mat4x4<f32>) -> Rows
//!     by gemm_spread_rows, gemm_spread_columns
//
// Matrix product with a register tile whose rows of A are spread through the subgroup; see
// gemm_shape.
//
// An invocation makes ROWS rows x 4 columns, lanes lie side by side along columns. All lanes want
// the same rows of A, so eight of them load a share each of eight rows, and the subgroup hands it
// round (gemm_spread_*): a load of A serves eight rows. Any subgroup of eight lanes or more
// does; further lanes repeat the loads.
// The sum over k runs in order, each four terms added up before they join it, which halves the
// rounding and shortens the chain of instructions that wait for each other.
const LANES: u32 = 8u; // tunable
const ROWS: u32 = 32u; // tunable

const EIGHTS: u32 = ROWS / 8u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
    const TILES_N = (N + 4u * LANES - 1u) / (4u * LANES);
    const TILES_M = (M + ROWS - 1u) / ROWS;
    let tile = group_number(group, groups);
    let n = (tile % TILES_N * LANES + lane) * 4u;
    let m = tile / TILES_N % TILES_M * ROWS;
    let split = tile / (TILES_N * TILES_M) % SPLITS;
    let z = tile / (TILES_N * TILES_M * SPLITS);
    if (z >= BATCHES) {
        return;
    }
    let columns = rhs_start(z, n);
    let share = subgroup_lane % 8u;
    var starts: array<u32, EIGHTS>;
    for (var i = 0u; i < EIGHTS; i++) {
        starts[i] = share_start(z, m + 8u * i, share);
    }
    let end = min(sum_end(z), (split + 1u) * K_PER_SPLIT);
    var sums: array<Rows, EIGHTS>;
    for (var k = split * K_PER_SPLIT; k < end; k += 4u) {
        let b = rhs_block(columns, k);
        for (var i = 0u; i < EIGHTS; i++) {
            sums[i] = spread(sums[i], load_share(starts[i], k, share), b);
        }
    }
    if (n >= N) {
        return;
    }
    let part = z * SPLITS + split;
    // A loop, because compilers take long over stores, and one whose end is no constant, or they write it
    // out. The sums move up, so that indices stay constant.
    let last = min(m + ROWS, M);
    for (var row = m; row < last; row += 8u) {
        for (var i = 0u; i < 8u; i++) {
            if (M % 8u == 0u || row + i < M) {
                store(part, row + i, n, add_bias(sums[0][i], part * M + row + i, n));
            }
        }
        for (var next = 1u; next < EIGHTS; next++) {
            sums[next - 1u] = sums[next];
        }
    }
}
