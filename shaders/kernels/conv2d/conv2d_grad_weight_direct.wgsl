//! uses group, conv2d_shape
//! hole load_row(line: u32, first_w: i32)
//!     by conv2d_row, conv2d_row_vec4
//! hole load_gradients(image: u32, first: u32, m: u32, oh: u32, ow: u32, inside: bool)
//!     by conv2d_gradient_tile, conv2d_gradient_tile_vec4
//
// Gradient of a convolution's weight with a sliding window, without workgroup memory. A loaded stretch of
// an input row serves every tap of the window's row and every output channel of a block, and a stretch of
// the gradient every tap of the window.
//
// An invocation makes BLOCK output channels of one input channel with all taps, summed over ROWS rows of
// the output: rows, then tiles of TILE_W neighbours, then columns, in order. What it makes is kept apart
// as gemm_* keep the parts of a split sum, for sum_splits to add.
//
// Joined with load_row, which fills `row`, and load_gradients, which fills `gradients`.
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;

const BLOCK: u32 = 8u; // tunable
const TILE_W: u32 = 4u; // tunable
const LANES: u32 = 8u; // tunable
const ROWS: u32 = 1u; // tunable

const STRETCHES: u32 = BLOCK;
const APART: u32 = 1u;
const SPAN: u32 = (TILE_W - 1u) * SW + (KW - 1u) * DW + 1u;

var<private> row: array<f32, SPAN>;
var<private> gradients: array<array<f32, TILE_W>, STRETCHES>;
// By row of the window, output channel and tap.
var<private> sums: array<array<array<f32, KW>, BLOCK>, KH>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const BLOCKS = (OUT + BLOCK - 1u) / BLOCK;
    const TILES = (OW + TILE_W - 1u) / TILE_W;
    const SPLITS = (IMAGES * OH + ROWS - 1u) / ROWS;
    let number = group_number(group, groups);
    let block = number % BLOCKS;
    let c = number / BLOCKS % IN;
    let z = number / (BLOCKS * IN) % GROUPS;
    let split = number / (BLOCKS * IN * GROUPS) * LANES + lane;
    for (var i = 0u; i < ROWS * TILES; i++) {
        let line = split * ROWS + i / TILES;
        let image = min(line / OH, IMAGES - 1u);
        let oh = line % OH;
        let ow = i % TILES * TILE_W;
        load_gradients(image, z * OUT, block * BLOCK, oh, ow, line < IMAGES * OH);
        for (var kh = 0u; kh < KH; kh++) {
            let h = i32(oh * SH + kh * DH) - PH;
            let inside = h >= 0 && h < i32(H);
            // A row in the padding is read where all of it is padding.
            let first_w = select(-i32(SPAN + W), i32(ow * SW) - PW, inside);
            load_row((((image * GROUPS + z) * IN + c) * H + u32(clamp(h, 0, i32(H) - 1))) * W, first_w);
            for (var b = 0u; b < BLOCK; b++) {
                for (var kw = 0u; kw < KW; kw++) {
                    var sum = sums[kh][b][kw];
                    for (var t = 0u; t < TILE_W; t++) {
                        sum = fma(gradients[b][t], row[t * SW + kw * DW], sum);
                    }
                    sums[kh][b][kw] = sum;
                }
            }
        }
    }
    if (split >= SPLITS) {
        return;
    }
    const COLUMNS = (IN * KH * KW + 3u) / 4u * 4u;
    for (var kh = 0u; kh < KH; kh++) {
        for (var b = 0u; b < BLOCK; b++) {
            let m = block * BLOCK + b;
            if (OUT % BLOCK == 0u || m < OUT) {
                let at = ((z * SPLITS + split) * OUT + m) * COLUMNS + (c * KH + kh) * KW;
                for (var kw = 0u; kw < KW; kw++) {
                    parts[at + kw] = sums[kh][b][kw];
                }
            }
        }
    }
}
