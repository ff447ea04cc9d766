//! uses group, gemm_shape, gemm_product, gemm_halves, gemm_store
//! holes lhs, rhs, sum_end of gemm_product; store, add_bias of gemm_store
//! hole no_sums() -> Sums
//!     by matrices_8, matrices_16
//
// Matrix product of f16 with cooperative matrices, which subgroups multiply together; sums are f32. See
// gemm_shape.
//
// A workgroup makes a tile of TILE_M x TILE_N, each of its SUBGROUPS subgroups SUB_M x SUB_N of it, in
// matrices of SIDE x SIDE. In each round an invocation loads its blocks of the next STEP terms into registers
// and rounds them to f16; the subgroups multiply the terms in workgroup memory; then what was loaded is
// stored there. With two BUFFERS that is one barrier a round, with one, in half the memory, two.
//
// Nobody knows which invocation holds which sum, so each matrix of the result passes through workgroup memory. If
// subgroups are larger than planned, there are fewer, and each makes several parts of the tile one by one.
enable f16;
enable wgpu_cooperative_matrix;
// All invocations meet at every matrix. naga does not see it, because it takes variables and what functions return for
// different in each, and reports that under this rule.
diagnostic(off, derivative_uniformity);

const SUB_M: u32 = 32u; // tunable
const SUB_N: u32 = 32u; // tunable

const SUBGROUPS: u32 = (TILE_M / SUB_M) * (TILE_N / SUB_N);
const ROWS: u32 = SUB_M / SIDE;
const COLUMNS: u32 = SUB_N / SIDE;
const MATRIX: u32 = SIDE * SIDE;

var<workgroup> results: array<f32, SUBGROUPS * MATRIX>; // [subgroup][m][n]

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
    @builtin(subgroup_size) subgroup_size: u32,
) {
    const TILES_N = (N + TILE_N - 1u) / TILE_N;
    const TILES_M = (M + TILE_M - 1u) / TILE_M;
    let number = group_number(group, groups);
    let tile = number % (TILES_N * TILES_M);
    let split = number / (TILES_N * TILES_M) % SPLITS;
    let z = number / (TILES_N * TILES_M * SPLITS);
    if (z >= BATCHES) {
        return;
    }
    let tile_m = tile / TILES_N * TILE_M;
    let tile_n = tile % TILES_N * TILE_N;
    let part = z * SPLITS + split;
    let start = split * K_PER_SPLIT;
    let end = min(sum_end(z), start + K_PER_SPLIT);

    // Where the blocks that this invocation loads start.
    var rows: array<vec4<u32>, LHS_EACH>;
    var columns: array<RhsStart, RHS_EACH>;
    for (var i = 0u; i < LHS_EACH; i++) {
        rows[i] = lhs_starts(z, tile_m + lhs_place(lane + i * LANES).x);
    }
    for (var i = 0u; i < RHS_EACH; i++) {
        columns[i] = rhs_start(z, tile_n + rhs_place(lane + i * LANES).x);
    }

    for (var first = 0u; first < SUBGROUPS; first += subgroups) {
        let own = first + subgroup;
        let sub_m = own / (TILE_N / SUB_N) * SUB_M;
        let sub_n = own % (TILE_N / SUB_N) * SUB_N;
        var sums: array<Sums, ROWS * COLUMNS>;
        for (var i = 0u; i < ROWS * COLUMNS; i++) {
            sums[i] = no_sums();
        }
        var to = 0u;
        for (var k = start; k < end + STEP; k += STEP) {
            // Past the last term there are zeros.
            var lhs_next: array<Half, LHS_EACH>;
            var rhs_next: array<Half, RHS_EACH>;
            for (var i = 0u; i < LHS_EACH; i++) {
                let block_k = k + lhs_place(lane + i * LANES).y;
                if (block_k < end) {
                    lhs_next[i] = rounded(lhs_block(rows[i], block_k));
                }
            }
            for (var i = 0u; i < RHS_EACH; i++) {
                let block_k = k + rhs_place(lane + i * LANES).y;
                if (block_k < end) {
                    rhs_next[i] = rounded(transpose(rhs_block(columns[i], block_k)));
                }
            }
            if (k > start) {
                let held = select(to, BUFFER - to, BUFFERS == 2u);
                for (var term = 0u; term < STEP; term += SIDE) {
                    var left: array<Left, ROWS>;
                    for (var i = 0u; i < ROWS; i++) {
                        left[i] = coopLoadT<Left>(&tiles[held + sub_m + i * SIDE][term], STRIDE);
                    }
                    for (var j = 0u; j < COLUMNS; j++) {
                        let right = coopLoad<Right>(&tiles[held + TILE_M + sub_n + j * SIDE][term], STRIDE);
                        for (var i = 0u; i < ROWS; i++) {
                            sums[i * COLUMNS + j] = coopMultiplyAdd(left[i], right, sums[i * COLUMNS + j]);
                        }
                    }
                }
                if (BUFFERS == 1u) {
                    workgroupBarrier();
                }
            }
            if (k < end) {
                for (var i = 0u; i < LHS_EACH; i++) {
                    if (LHS_BLOCKS % LANES == 0u || lane + i * LANES < LHS_BLOCKS) {
                        keep(vec2(to, 0u) + lhs_place(lane + i * LANES), lhs_next[i]);
                    }
                }
                for (var i = 0u; i < RHS_EACH; i++) {
                    if (RHS_BLOCKS % LANES == 0u || lane + i * LANES < RHS_BLOCKS) {
                        keep(vec2(to + TILE_M, 0u) + rhs_place(lane + i * LANES), rhs_next[i]);
                    }
                }
            }
            workgroupBarrier();
            to = select(0u, BUFFER - to, BUFFERS == 2u);
        }

        // A loop, because compilers take long over stores, and one whose end is no constant, or they write it
        // out. The sums move up, so that indices stay constant.
        let count = min(ROWS * COLUMNS, ROWS * COLUMNS * subgroups);
        for (var matrix = 0u; matrix < count; matrix++) {
            coopStoreT(sums[0], &results[own * MATRIX], SIDE);
            workgroupBarrier();
            let m = tile_m + sub_m + matrix / COLUMNS * SIDE;
            let n = tile_n + sub_n + matrix % COLUMNS * SIDE;
            for (var i = subgroup_lane; i < MATRIX / 4u; i += subgroup_size) {
                let row = m + i / (SIDE / 4u);
                let column = n + i % (SIDE / 4u) * 4u;
                if (row < M && column < N) {
                    let at = own * MATRIX + i * 4u;
                    let values = vec4(results[at], results[at + 1u], results[at + 2u], results[at + 3u]);
                    store(part, row, column, add_bias(values, part * M + row, column));
                }
            }
            workgroupBarrier();
            for (var next = 1u; next < ROWS * COLUMNS; next++) {
                sums[next - 1u] = sums[next];
            }
        }
    }
}
