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

const STEP_H: u32 = 1u; // shape
const BLOCK: u32 = 8u; // tunable
const TILE_W: u32 = 8u; // tunable
const LANES: u32 = 32u; // tunable
const ROWS: u32 = 1u; // tunable

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
