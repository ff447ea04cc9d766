//! uses group, gemm_shape, gemm_product, gemm_outer, gemm_store
//! holes lhs, rhs, sum_end of gemm_product; store, add_bias of gemm_store
//
// Matrix product with tiles in workgroup memory, whose loads run while the tiles before are
// multiplied; see gemm_shape.
//
// A workgroup makes a tile of TILE_M x TILE_N, an invocation 8 x 8 of it as four 4 x 4 blocks, half a
// tile apart. In each round an invocation loads its blocks of the next 16 terms into registers,
// multiplies the terms in workgroup memory, and then stores what it loaded. With two BUFFERS that is
// one barrier a round, with one, in half the memory, two. The sum over k runs in order.
//
// Tiles are numbered in bands of BAND rows, down each column of a band first: workgroups that run at
// the same time share operands in the L2 cache.
//
// Banks of workgroup memory: a row of 4 (m or n) has its vec4s where vec4 i of term k is at
// i ^ 2 (k / 4 mod 4), so that eight invocations that store four neighbouring blocks along k and two
// along m or n hit 32 different banks; so do eight that store side by side. For loads, 32 invocations
// cover 8 x 4 blocks in an order in which of 16 neighbours, pairs two apart share rows and pairs side by
// side share columns: four different vec4s side by side for each operand, which NVIDIA's hardware
// answers in one pass for 16 invocations and AMD's in one for 8. No conflicts are left.
const TILE_M: u32 = 128u; // tunable
const TILE_N: u32 = 128u; // tunable
const BUFFERS: u32 = 1u; // tunable
// Whether neighbours load B along k and not along n: as its elements lie in memory.
const RHS_ALONG_K: bool = false; // tunable

const BAND: u32 = 8u;
const LANES: u32 = TILE_M * TILE_N / 64u;
// Vec4s of a term in each operand, and of a buffer.
const ROWS: u32 = TILE_M / 4u;
const COLUMNS: u32 = TILE_N / 4u;
const BUFFER: u32 = 16u * (ROWS + COLUMNS);
// With enough invocations each loads a block of one operand.
const APART: bool = TILE_M + TILE_N <= LANES;

var<workgroup> tiles: array<vec4<f32>, BUFFERS * BUFFER>; // [buffer][k][m / 4], vec4 along m, then [k][n / 4]

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const TILES_N = (N + TILE_N - 1u) / TILE_N;
    const TILES_M = (M + TILE_M - 1u) / TILE_M;
    let number = group_number(group, groups);
    let tile = number % (TILES_N * TILES_M);
    let split = number / (TILES_N * TILES_M) % SPLITS;
    let z = number / (TILES_N * TILES_M * SPLITS);
    if (z >= BATCHES) {
        return;
    }
    let band = tile / (BAND * TILES_N) * BAND;
    let height = min(BAND, TILES_M - band);
    let tile_m = (band + tile % (BAND * TILES_N) % height) * TILE_M;
    let tile_n = tile % (BAND * TILES_N) / height * TILE_N;

    // The blocks that this invocation loads: the first lanes those of A, the last those of B.
    let lhs_k = lane % 4u;
    let lhs_m = lane / 4u;
    let rhs_lane = lane - min(lane, LANES - TILE_N);
    let rhs_k = select(rhs_lane / COLUMNS, rhs_lane % 4u, RHS_ALONG_K);
    let rhs_n = select(rhs_lane % COLUMNS, rhs_lane / 4u, RHS_ALONG_K);
    let rows = lhs_starts(z, tile_m + lhs_m * 4u);
    let columns = rhs_start(z, tile_n + rhs_n * 4u);
    let lhs_to = lhs_k * (4u * ROWS) + (lhs_m ^ (2u * lhs_k));
    let rhs_to = 16u * ROWS + rhs_k * (4u * COLUMNS) + (rhs_n ^ (2u * rhs_k));
    let is_rhs = lane >= LANES - TILE_N;
    let first_to = select(lhs_to, rhs_to, APART && is_rhs);
    let first_step = select(ROWS, COLUMNS, APART && is_rhs);

    // The blocks that it makes. 32 lanes make 8 x 4 of them, bits 0, 3 and 4 of a lane along m.
    let row = lane / TILE_N * 8u + (lane & 1u) + ((lane / 4u) & 6u);
    let column = lane / 32u % (TILE_N / 32u) * 4u + lane / 2u % 4u;
    var c = Blocks();
    let start = split * K_PER_SPLIT;
    let end = min(sum_end(z), start + K_PER_SPLIT);
    var to = 0u;
    for (var k = start; k < end + 16u; k += 16u) {
        // Past the last term there are zeros.
        var first = mat4x4<f32>();
        var second = mat4x4<f32>();
        if (lane < TILE_M && k + lhs_k * 4u < end) {
            first = transpose(lhs_block(rows, k + lhs_k * 4u));
        }
        if (is_rhs && k + rhs_k * 4u < end) {
            let b = rhs_block(columns, k + rhs_k * 4u);
            if (APART) {
                first = b;
            } else {
                second = b;
            }
        }
        if (k > start) {
            let held = select(to, BUFFER - to, BUFFERS == 2u);
            // Four at a time: the loop's own instructions weigh a quarter.
            for (var i = 0u; i < 16u; i += 4u) {
                let a = held + i * ROWS + (row ^ (i / 2u));
                let b = held + 16u * ROWS + i * COLUMNS + (column ^ (i / 2u));
                c = outer_blocks(c, tiles[a], tiles[a + ROWS / 2u], tiles[b], tiles[b + COLUMNS / 2u]);
                c = outer_blocks(c, tiles[a + ROWS], tiles[a + ROWS * 3u / 2u], tiles[b + COLUMNS], tiles[b + COLUMNS * 3u / 2u]);
                c = outer_blocks(c, tiles[a + 2u * ROWS], tiles[a + ROWS * 5u / 2u], tiles[b + 2u * COLUMNS], tiles[b + COLUMNS * 5u / 2u]);
                c = outer_blocks(c, tiles[a + 3u * ROWS], tiles[a + ROWS * 7u / 2u], tiles[b + 3u * COLUMNS], tiles[b + COLUMNS * 7u / 2u]);
            }
            if (BUFFERS == 1u) {
                workgroupBarrier();
            }
        }
        if (k < end) {
            if (APART || lane < TILE_M) {
                for (var i = 0u; i < 4u; i++) {
                    tiles[to + first_to + i * first_step] = first[i];
                }
            }
            if (!APART && is_rhs) {
                for (var i = 0u; i < 4u; i++) {
                    tiles[to + rhs_to + i * COLUMNS] = second[i];
                }
            }
        }
        workgroupBarrier();
        to = select(0u, BUFFER - to, BUFFERS == 2u);
    }
    let part = z * SPLITS + split;
    let m = tile_m + row * 4u;
    let n = tile_n + column * 4u;
    store_block(part, m, n, c.c00);
    store_block(part, m, n + TILE_N / 2u, c.c01);
    store_block(part, m + TILE_M / 2u, n, c.c10);
    store_block(part, m + TILE_M / 2u, n + TILE_N / 2u, c.c11);
}
