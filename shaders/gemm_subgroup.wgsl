// Matrix product with a register tile whose rows of A are spread through the subgroup; see
// shared/gemm_shape.
//
// An invocation makes ROWS rows x 4 columns, lanes lie side by side along columns. All lanes want
// the same rows of A, so eight of them load a share each of eight rows, and the subgroup hands it
// round (shared/gemm_spread_*): a load of A serves eight rows. Any subgroup of eight lanes or more
// does; further lanes repeat the loads.
// The sum over k runs in order, each four terms added up before they join it, which halves the
// rounding and shortens the chain of instructions that wait for each other.
const LANES: u32 = 8u; // tunable
const ROWS: u32 = 32u; // tunable

fn store_rows(part: u32, m: u32, n: u32, c: Rows) {
    store_block(part, m, n, mat4x4<f32>(c[0], c[1], c[2], c[3]));
    store_block(part, m + 4u, n, mat4x4<f32>(c[4], c[5], c[6], c[7]));
}

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
    let row0 = share_start(z, m, share);
    let row1 = share_start(z, m + 8u, share);
    let row2 = share_start(z, m + 16u, share);
    let row3 = share_start(z, m + 24u, share);
    let end = min(K, (split + 1u) * K_PER_SPLIT);
    var c0 = Rows();
    var c1 = Rows();
    var c2 = Rows();
    var c3 = Rows();
    for (var k = split * K_PER_SPLIT; k < end; k += 4u) {
        let b = rhs_block(columns, k);
        c0 = spread(c0, load_share(row0, k, share), b);
        if (ROWS > 8u) {
            c1 = spread(c1, load_share(row1, k, share), b);
        }
        if (ROWS > 16u) {
            c2 = spread(c2, load_share(row2, k, share), b);
        }
        if (ROWS > 24u) {
            c3 = spread(c3, load_share(row3, k, share), b);
        }
    }
    let part = z * SPLITS + split;
    // A loop, because compilers take long over stores, and one whose end is no constant, or they write it
    // out. The rows move up, so that indices stay constant.
    var rows = array<Rows, 4>(c0, c1, c2, c3);
    let last = min(m + ROWS, M);
    for (var row = m; row < last; row += 8u) {
        store_rows(part, row, n, rows[0]);
        for (var next = 1u; next < ROWS / 8u; next++) {
            rows[next - 1u] = rows[next];
        }
    }
}
