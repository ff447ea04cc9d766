//! uses group, gemm_shape, gemm_product, gemm_store
//! holes lhs, rhs, sum_end of gemm_product; store, add_bias of gemm_store
//
// Matrix product with a register tile and no workgroup memory; see gemm_shape.
//
// An invocation makes ROWS rows, 8 or 16, x COLUMNS columns, 8 or 16. Lanes lie side by side along
// columns, LANES_N of them, and then along rows. The sum over k runs in order, each four terms added up
// before they join it, which halves the rounding.
const LANES_N: u32 = 8u; // tunable
const LANES_M: u32 = 8u; // tunable
const ROWS: u32 = 8u; // tunable
const COLUMNS: u32 = 16u; // tunable

// Four rows of sums, or four terms of the right operand: up to sixteen columns.
struct Blocks {
    a: mat4x4<f32>,
    b: mat4x4<f32>,
    c: mat4x4<f32>,
    d: mat4x4<f32>,
}

struct Starts {
    a: RhsStart,
    b: RhsStart,
    c: RhsStart,
    d: RhsStart,
}

fn rhs_blocks(starts: Starts, k: u32) -> Blocks {
    var blocks: Blocks;
    blocks.a = rhs_block(starts.a, k);
    blocks.b = rhs_block(starts.b, k);
    if (COLUMNS > 8u) {
        blocks.c = rhs_block(starts.c, k);
        blocks.d = rhs_block(starts.d, k);
    }
    return blocks;
}

fn add(sums: Blocks, rows: mat4x4<f32>, columns: Blocks) -> Blocks {
    var all = sums;
    all.a += multiply(rows, columns.a);
    all.b += multiply(rows, columns.b);
    if (COLUMNS > 8u) {
        all.c += multiply(rows, columns.c);
        all.d += multiply(rows, columns.d);
    }
    return all;
}

// What sixteen rows store: an array that a loop indexes is a little slower, and compiles in half of the time.
var<private> kept: array<mat4x4<f32>, ROWS * COLUMNS / 16u>;

fn keep(row: u32, sums: Blocks) {
    let at = row * (COLUMNS / 4u);
    kept[at] = sums.a;
    kept[at + 1u] = sums.b;
    if (COLUMNS > 8u) {
        kept[at + 2u] = sums.c;
        kept[at + 3u] = sums.d;
    }
}

fn store_blocks(part: u32, m: u32, n: u32, sums: Blocks) {
    store_block(part, m, n, sums.a);
    store_block(part, m, n + 4u, sums.b);
    if (COLUMNS > 8u) {
        store_block(part, m, n + 8u, sums.c);
        store_block(part, m, n + 12u, sums.d);
    }
}

@compute @workgroup_size(LANES_N * LANES_M)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const TILES_N = (N + COLUMNS * LANES_N - 1u) / (COLUMNS * LANES_N);
    const TILES_M = (M + ROWS * LANES_M - 1u) / (ROWS * LANES_M);
    let tile = group_number(group, groups);
    let n = (tile % TILES_N * LANES_N + lane % LANES_N) * COLUMNS;
    let m = (tile / TILES_N % TILES_M * LANES_M + lane / LANES_N) * ROWS;
    let split = tile / (TILES_N * TILES_M) % SPLITS;
    let z = tile / (TILES_N * TILES_M * SPLITS);
    if (m >= M || n >= N || z >= BATCHES) {
        return;
    }
    let rows0 = lhs_starts(z, m);
    let rows1 = lhs_starts(z, m + 4u);
    let rows2 = lhs_starts(z, m + 8u);
    let rows3 = lhs_starts(z, m + 12u);
    let starts = Starts(rhs_start(z, n), rhs_start(z, n + 4u), rhs_start(z, n + 8u), rhs_start(z, n + 12u));
    var c0: Blocks;
    var c1: Blocks;
    var c2: Blocks;
    var c3: Blocks;
    let end = min(sum_end(z), (split + 1u) * K_PER_SPLIT);
    for (var k = split * K_PER_SPLIT; k < end; k += 4u) {
        let columns = rhs_blocks(starts, k);
        c0 = add(c0, lhs_block(rows0, k), columns);
        c1 = add(c1, lhs_block(rows1, k), columns);
        if (ROWS > 8u) {
            c2 = add(c2, lhs_block(rows2, k), columns);
            c3 = add(c3, lhs_block(rows3, k), columns);
        }
    }
    let part = z * SPLITS + split;
    if (ROWS == 8u) {
        store_blocks(part, m, n, c0);
        store_blocks(part, m + 4u, n, c1);
        return;
    }
    keep(0u, c0);
    keep(1u, c1);
    keep(2u, c2);
    keep(3u, c3);
    for (var i = 0u; i < ROWS * COLUMNS / 16u; i++) {
        let row = i / (COLUMNS / 4u);
        let column = i % (COLUMNS / 4u);
        store_block(part, m + row * 4u, n + column * 4u, kept[i]);
    }
}
