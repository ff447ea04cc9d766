//! uses group
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// result = source with other strides, by tiles: source lies side by side along its dimension A, the result
// along its dimension L.
//
// A workgroup moves a tile of 32 x 32 through its memory, so that it loads neighbours along A and stores
// neighbours along L. Up to four further dimensions, outermost first with ones on the left, number the
// tiles.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const SIZE_A: u32 = 32u; // shape
const SIZE_L: u32 = 32u; // shape
// Elements of the result from one coordinate of A to the next, and of the source along L.
const RESULT_A: u32 = 32u; // shape
const SOURCE_L: u32 = 32u; // shape
const TILES: u32 = 1u; // shape
const SIZE_1: u32 = 1u; // shape
const SIZE_2: u32 = 1u; // shape
const SIZE_3: u32 = 1u; // shape
const RESULT_0: u32 = 0u; // shape
const RESULT_1: u32 = 0u; // shape
const RESULT_2: u32 = 0u; // shape
const RESULT_3: u32 = 0u; // shape
const SOURCE_0: u32 = 0u; // shape
const SOURCE_1: u32 = 0u; // shape
const SOURCE_2: u32 = 0u; // shape
const SOURCE_3: u32 = 0u; // shape

const TILES_A: u32 = (SIZE_A + 31u) / 32u;
const TILES_L: u32 = (SIZE_L + 31u) / 32u;

// A column more than the tile has: neighbours along either side lie in different banks.
var<workgroup> tile: array<f32, 1056>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let number = group_number(group, groups);
    if (number >= TILES) {
        return;
    }
    let first_a = number % TILES_A * 32u;
    let first_l = number / TILES_A % TILES_L * 32u;
    let outer = number / (TILES_A * TILES_L);
    let c3 = outer % SIZE_3;
    let c2 = outer / SIZE_3 % SIZE_2;
    let c1 = outer / (SIZE_3 * SIZE_2) % SIZE_1;
    let c0 = outer / (SIZE_3 * SIZE_2 * SIZE_1);
    let source_base = c0 * SOURCE_0 + c1 * SOURCE_1 + c2 * SOURCE_2 + c3 * SOURCE_3;
    let result_base = c0 * RESULT_0 + c1 * RESULT_1 + c2 * RESULT_2 + c3 * RESULT_3;
    let column = lane % 32u;
    for (var row = lane / 32u; row < 32u; row += 8u) {
        let a = first_a + column;
        let l = first_l + row;
        if (a < SIZE_A && l < SIZE_L) {
            tile[row * 33u + column] = source[source_base + a + l * SOURCE_L];
        }
    }
    workgroupBarrier();
    for (var row = lane / 32u; row < 32u; row += 8u) {
        let a = first_a + row;
        let l = first_l + column;
        if (a < SIZE_A && l < SIZE_L) {
            let at = result_base + a * RESULT_A + l;
            result[at] = epilogue(at, tile[column * 33u + row]);
        }
    }
}
