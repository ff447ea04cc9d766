// parts/common/group.wgsl
// The workgroup's number where the plan folded a long row of workgroups into x, y and z.
fn group_number(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + groups.x * (group.y + groups.y * group.z);
}
// parts/conv2d/conv2d_shape.wgsl
// The shape of a convolution (cross-correlation): input (IMAGES, GROUPS IN, H, W), weight
// (GROUPS OUT, IN, KH, KW), output (IMAGES, GROUPS OUT, OH, OW), all row-major. IN and OUT count
// the channels of one group. Stride S, padding P and dilation D are given per axis.
const IMAGES: u32 = 64u;
const GROUPS: u32 = 1u;
const IN: u32 = 8u;
const OUT: u32 = 32u;
const H: u32 = 14u;
const W: u32 = 14u;
const OH: u32 = 14u;
const OW: u32 = 14u;
const KH: u32 = 5u;
const KW: u32 = 5u;
const SH: u32 = 1u;
const SW: u32 = 1u;
const PH: i32 = i32(2);
const PW: i32 = i32(2);
const DH: u32 = 1u;
const DW: u32 = 1u;

// A place in the plane of an image that a window starts from.
struct Pixel {
    image: u32,
    h: i32,
    w: i32,
}

// One weight's place: channel and offset within the window.
struct Tap {
    channel: u32,
    h: u32,
    w: u32,
}

fn tap_of(k: u32) -> Tap {
    return Tap(k / (KH * KW), k / KW % KH, k % KW);
}
// parts/conv2d/conv2d_correlation.wgsl
//! uses conv2d_shape
//
// What a convolution's output and the gradient of its input have in common. Both are correlations:
// result p of an axis is the sum over taps k of weight k times source (p S + k D - P) / U, over those
// k for which U divides. Forward, the source is the input, S the stride and U = 1. For the gradient
// of the input, the source is the output's gradient, S = 1, U the stride, and the window is turned
// by half a turn (FLIP): no multiplication by the zeros between strides, whatever the phase of p.
//
// Sizes stand in conv2d_shape with results in the place of the output and sources in the
// place of the input. Tiles of results start LEAD before a multiple of their size, where U divides
// p S - P, so that within a tile it is known at compile time which taps meet a source.
const UH: u32 = 1u;
const UW: u32 = 1u;
const LEAD_H: u32 = 0u; // shape
const LEAD_W: u32 = 0u;
const FLIP: bool = false;

// Place of a weight, seen from results and sources.
fn weight_place(z: u32, m: u32, c: u32, kh: u32, kw: u32) -> u32 {
    if (FLIP) {
        return (((z * IN + c) * OUT + m) * KH + (KH - 1u - kh)) * KW + (KW - 1u - kw);
    }
    return (((z * OUT + m) * IN + c) * KH + kh) * KW + kw;
}
// parts/conv2d/conv2d_sliding.wgsl
//! uses conv2d_correlation
//! hole load_row(line: u32, first_w: i32)
//!     by conv2d_row, conv2d_row_vec4
//! hole weights
//!     load_weights(z: u32, block: u32, c: u32, kh: u32)
//!     weights_of(z: u32, block: u32, b: u32, c: u32, kh: u32) -> array<f32, KW>
//!     by conv2d_direct, conv2d_direct_subgroup
//! hole add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> { return values; }
//!     by gemm_bias_rows
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// Sliding windows without workgroup memory; see conv2d_correlation. A loaded stretch of a
// source row serves every tap of the window's row and every channel of a block.
//
// An invocation makes BLOCK result channels of TILE_W neighbours in a row. A workgroup's invocations
// share channels, and so weights, and differ in image, place along the row and, where ROWS are
// several, row. In one row they also share which taps lie within the plane; in several, UH apart so
// that they have taps in common, what lies outside is zero. The sum runs over source channels, then
// kh, then kw, in order.
//
// Joined with load_row, which fills `row`, and load_weights and weights_of, which give a channel's
// weights for a row of the window.
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const STEP_H: u32 = 1u;
const BLOCK: u32 = 16u;
const TILE_W: u32 = 14u;
const LANES: u32 = 32u;
const ROWS: u32 = 1u;

const SPAN: u32 = ((TILE_W - 1u) * SW + (KW - 1u) * DW) / UW + 1u;

var<private> row: array<f32, SPAN>;
var<private> sums: array<array<f32, TILE_W>, BLOCK>;

fn convolve(number: u32, lane: u32) {
    const BLOCKS = (OUT + BLOCK - 1u) / BLOCK;
    const TILES = (OW + LEAD_W + TILE_W - 1u) / TILE_W;
    const PHASES = min(UH, OH);
    const CHUNKS = ((OH + UH - 1u) / UH + ROWS - 1u) / ROWS;
    const PLACES = IMAGES * ROWS * TILES;
    let block = number % BLOCKS;
    let phase = number / BLOCKS % PHASES;
    let chunk = number / (BLOCKS * PHASES) % CHUNKS;
    let z = number / (BLOCKS * PHASES * CHUNKS) % GROUPS;
    let place = number / (BLOCKS * PHASES * CHUNKS * GROUPS) * LANES + lane;
    let image = min(place / (ROWS * TILES), IMAGES - 1u);
    let oh = (chunk * ROWS + place / TILES % ROWS) * UH + phase;
    let ow = i32(place % TILES * TILE_W) - i32(LEAD_W);
    let first_w = (ow * i32(SW) - PW) / i32(UW);
    let first_h = i32(oh * SH) - PH;
    // The taps that meet a row of the plane: every STEP_H-th from the first to before the last. All invocations
    // find them for the workgroup's first row, so that they leave the loop together.
    let common_h = i32((chunk * ROWS * UH + phase) * SH) - PH;
    var first = i32(KH);
    for (var k = 0; k < i32(STEP_H); k++) {
        if ((common_h + k * i32(DH)) % i32(UH) == 0) {
            first = k;
        }
    }
    var last = i32(KH);
    if (ROWS == 1u) {
        const STRIDE = i32(STEP_H * DH);
        first += max(0, STRIDE - 1 - common_h - first * i32(DH)) / STRIDE * i32(STEP_H);
        last = min(last, (i32((H - 1u) * UH + DH) - common_h) / i32(DH));
    }
    // One loop over channels and kh: every level of loops costs a copy of all sums.
    let count = max(0, last - first + i32(STEP_H) - 1) / i32(STEP_H);
    for (var i = 0; i < i32(IN) * count; i++) {
        let c = u32(i / count);
        let kh = first + i % count * i32(STEP_H);
        let reach = first_h + kh * i32(DH);
        let inside = ROWS == 1u || (reach >= 0 && reach <= i32((H - 1u) * UH));
        let h = u32(clamp(reach, 0, i32((H - 1u) * UH))) / UH;
        // A row in the padding is read where all of it is padding.
        load_row((((image * GROUPS + z) * IN + c) * H + h) * W, select(-i32(SPAN + W), first_w, inside));
        load_weights(z, block * BLOCK, c, u32(kh));
        for (var b = 0u; b < BLOCK; b++) {
            let w = weights_of(z, block * BLOCK, b, c, u32(kh));
            for (var t = 0u; t < TILE_W; t++) {
                var sum = sums[b][t];
                for (var kw = 0u; kw < KW; kw++) {
                    if ((t * SW + kw * DW) % UW == 0u) {
                        sum = fma(row[(t * SW + kw * DW) / UW], w[kw], sum);
                    }
                }
                sums[b][t] = sum;
            }
        }
    }
    if (place >= PLACES || oh >= OH) {
        return;
    }
    // The channels take turns in the first place: a store for each sum of its own would take longer
    // to compile than all the rest. The loop ends at BLOCK, which the compiler must not know, or it
    // writes the loop out.
    let end = min(BLOCK, BLOCK + number);
    for (var b = 0u; b < end; b++) {
        let m = block * BLOCK + b;
        if (m < OUT) {
            let channel = z * OUT + m;
            let line = i32(((image * GROUPS * OUT + channel) * OH + oh) * OW) + ow;
            for (var t = 0u; t < TILE_W; t++) {
                if (ow + i32(t) >= 0 && ow + i32(t) < i32(OW)) {
                    let at = u32(line + i32(t));
                    result[at] = epilogue(at, add_bias(vec4(sums[0][t]), channel, 0u).x);
                }
            }
        }
        for (var next = 0u; next < BLOCK; next++) {
            sums[next] = sums[min(next + 1u, BLOCK - 1u)];
        }
    }
}
// parts/gemm/gemm_bias_rows.wgsl
//! fills add_bias
//
// Adds a bias along rows: one number for each row, counted through all batches: a channel.
@group(0) @binding(3) var<storage, read> bias: array<f32>;

fn add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> {
    return values + vec4(bias[row]);
}
// parts/conv2d/conv2d_row.wgsl
//! fills load_row
//
// A stretch of a source row, element by element. What lies in the padding is zero.
@group(0) @binding(1) var<storage, read> input: array<f32>;

fn load_row(line: u32, first_w: i32) {
    for (var j = 0u; j < SPAN; j++) {
        let w = first_w + i32(j);
        row[j] = select(0.0, input[line + u32(clamp(w, 0, i32(W) - 1))], w >= 0 && w < i32(W));
    }
}
// parts/common/element_1.wgsl
//! fills Element
//
// An element is one number.
alias Element = f32;
alias Flag = bool;
alias Bits = u32;
alias Ints = i32;

fn element_sum(x: Element) -> f32 {
    return x;
}

fn bits_sum(x: Bits) -> u32 {
    return x;
}
// kernels/conv2d/conv2d_direct_subgroup.wgsl
//! uses group, conv2d_sliding
//! fills weights
//! holes load_row, add_bias, epilogue of conv2d_sliding
//
// Sliding windows in which eight lanes of a subgroup load one weight each and spread them to all; see
// conv2d_sliding. Subgroups have eight lanes at least.
const EIGHTS: u32 = (BLOCK + 7u) / 8u;

var<private> subgroup_lane: u32;
var<private> own: array<array<f32, KW>, EIGHTS>;

fn load_weights(z: u32, block: u32, c: u32, kh: u32) {
    for (var e = 0u; e < EIGHTS; e++) {
        let m = min(block + e * 8u + subgroup_lane % 8u, OUT - 1u);
        for (var kw = 0u; kw < KW; kw++) {
            own[e][kw] = weight[weight_place(z, m, c, kh, kw)];
        }
    }
}

fn weights_of(z: u32, block: u32, b: u32, c: u32, kh: u32) -> array<f32, KW> {
    var w: array<f32, KW>;
    for (var kw = 0u; kw < KW; kw++) {
        w[kw] = subgroupShuffle(own[b / 8u][kw], b % 8u);
    }
    return w;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) id: u32) {
    subgroup_lane = id;
    convolve(group_number(group, groups), lane);
}
fn epilogue(at: u32, first: f32) -> f32 {
    var value = first;
    return value;
}
