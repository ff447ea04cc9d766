//! uses group, conv2d_shape
//! hole load_row(line: u32, first_w: i32)
//!     by conv2d_row, conv2d_row_vec4
//! hole load_gradients(image: u32, first: u32, m: u32, oh: u32, ow: u32, inside: bool)
//!     by conv2d_gradient_tile, conv2d_gradient_tile_vec4
//
// Gradient of a convolution's weight with a sliding window whose rows are one apart (SH and DH are 1), without
// workgroup memory.
//
// An invocation makes BLOCK output channels of one input channel with all taps. A workgroup's invocations differ
// in the input channel and want the same gradients: each loads a stretch of every eighth output channel, and the
// subgroup hands them round. A stretch is TILE_W neighbours of a row, which has a whole number of them. Rows of
// the input come one after the other, each once: it meets the KH rows of the gradient that came last. An
// invocation sums UNITS columns of stretches: columns, rows, then neighbours in order. What it makes is kept
// apart as gemm_* keep the parts of a split sum, for sum_splits to add.
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;

const BLOCK: u32 = 16u; // tunable
const TILE_W: u32 = 4u; // tunable
const UNITS: u32 = 1u; // tunable
const LANES: u32 = 8u; // tunable

const SPAN: u32 = (TILE_W - 1u) * SW + (KW - 1u) * DW + 1u;
const STRETCHES: u32 = BLOCK / 8u;
const APART: u32 = 8u;

var<private> row: array<f32, SPAN>;
var<private> gradients: array<array<f32, TILE_W>, STRETCHES>;
// By row, the latest first.
var<private> latest: array<array<array<f32, TILE_W>, STRETCHES>, KH>;
// By output channel, row of the window and tap.
var<private> sums: array<array<array<f32, KW>, KH>, BLOCK>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
    const BLOCKS = (OUT + BLOCK - 1u) / BLOCK;
    const CHANNELS = (IN + LANES - 1u) / LANES;
    const TILES = OW / TILE_W;
    const SPLITS = (IMAGES * TILES + UNITS - 1u) / UNITS;
    const STEPS = OH + KH - 1u;
    let number = group_number(group, groups);
    let block = number % BLOCKS * BLOCK;
    let c = number / BLOCKS % CHANNELS * LANES + lane;
    let z = number / (BLOCKS * CHANNELS) % GROUPS;
    let split = number / (BLOCKS * CHANNELS * GROUPS);
    if (split >= SPLITS) {
        return;
    }
    for (var i = 0u; i < UNITS * STEPS; i++) {
        let unit = split * UNITS + i / STEPS;
        let step = i % STEPS;
        let image = min(unit / TILES, IMAGES - 1u);
        let ow = unit % TILES * TILE_W;
        for (var later = 1u; later < KH; later++) {
            latest[KH - later] = latest[KH - later - 1u];
        }
        load_gradients(image, z * OUT, block + subgroup_lane % 8u, min(step, OH - 1u), ow, true);
        latest[0] = gradients;
        let h = i32(step) - PH;
        let inside = h >= 0 && h < i32(H);
        // A row in the padding is read where all of it is padding.
        let first_w = select(-i32(SPAN + W), i32(ow * SW) - PW, inside);
        load_row((((image * GROUPS + z) * IN + min(c, IN - 1u)) * H + u32(clamp(h, 0, i32(H) - 1))) * W, first_w);
        for (var kh = 0u; kh < KH; kh++) {
            // Not multiplied by zero, which would make NaN of an infinity that meets no gradient.
            let meets = unit < IMAGES * TILES && step >= kh && step - kh < OH;
            for (var b = 0u; b < BLOCK; b++) {
                for (var kw = 0u; kw < KW; kw++) {
                    var sum = sums[b][kh][kw];
                    for (var t = 0u; t < TILE_W; t++) {
                        sum = fma(subgroupShuffle(latest[kh][b / 8u][t], b % 8u), row[t * SW + kw * DW], sum);
                    }
                    sums[b][kh][kw] = select(sums[b][kh][kw], sum, meets);
                }
            }
        }
    }
    const COLUMNS = (IN * KH * KW + 3u) / 4u * 4u;
    // The channels take turns in the first place, in a loop whose end the compiler must not know; see
    // conv2d_sliding.
    let end = min(BLOCK, BLOCK + number);
    for (var b = 0u; b < end; b++) {
        if (block + b < OUT && c < IN) {
            let at = ((z * SPLITS + split) * OUT + block + b) * COLUMNS + c * (KH * KW);
            for (var kh = 0u; kh < KH; kh++) {
                for (var kw = 0u; kw < KW; kw++) {
                    parts[at + kh * KW + kw] = sums[0][kh][kw];
                }
            }
        }
        for (var next = 0u; next < BLOCK; next++) {
            sums[next] = sums[min(next + 1u, BLOCK - 1u)];
        }
    }
}
