// Tiles of both operands in workgroup memory, rounded to f16, from which gemm_cooperative is made.
//
// Rows of A and columns of B lie along k, as the hardware wants them, with 16 bytes between them, so that neighbours
// start in different banks. As arrays of arrays, compilers see that four or eight elements can be moved at once.
enable f16;

const TILE_M: u32 = 64u; // tunable
const TILE_N: u32 = 64u; // tunable
const BUFFERS: u32 = 1u; // tunable
// Invocations that load them.
const LANES: u32 = 128u; // tunable
// Whether neighbours load B along k and not along n: as its elements lie in memory.
const RHS_ALONG_K: bool = false; // tunable

// Terms of a tile.
const STEP: u32 = 32u;
// Elements from a row of A, or a column of B, to the next.
const STRIDE: u32 = STEP + 8u;
// Rows of A and columns of B in a buffer.
const BUFFER: u32 = TILE_M + TILE_N;
// Blocks of a round, and how many of them an invocation loads at most.
const LHS_BLOCKS: u32 = TILE_M * STEP / 16u;
const RHS_BLOCKS: u32 = TILE_N * STEP / 16u;
const LHS_EACH: u32 = (LHS_BLOCKS + LANES - 1u) / LANES;
const RHS_EACH: u32 = (RHS_BLOCKS + LANES - 1u) / LANES;

var<workgroup> tiles: array<array<f16, STRIDE>, BUFFERS * BUFFER>; // [buffer][m][k], then [n][k]

struct Half {
    rows: array<vec4<f16>, 4>,
}

fn rounded(block: mat4x4<f32>) -> Half {
    return Half(array(vec4<f16>(block[0]), vec4<f16>(block[1]), vec4<f16>(block[2]), vec4<f16>(block[3])));
}

// The first row of A, or column of B, of a block within the tile, and its first term.
fn lhs_place(block: u32) -> vec2<u32> {
    return vec2(block / (STEP / 4u), block % (STEP / 4u)) * 4u;
}

fn rhs_place(block: u32) -> vec2<u32> {
    let along_n = vec2(block % (TILE_N / 4u), block / (TILE_N / 4u));
    return select(along_n * 4u, lhs_place(block), RHS_ALONG_K);
}

// Stores a block, each of its rows a row of A or a column of B.
fn keep(place: vec2<u32>, block: Half) {
    for (var i = 0u; i < 4u; i++) {
        let row = block.rows[i];
        tiles[place.x + i][place.y] = row.x;
        tiles[place.x + i][place.y + 1u] = row.y;
        tiles[place.x + i][place.y + 2u] = row.z;
        tiles[place.x + i][place.y + 3u] = row.w;
    }
}
