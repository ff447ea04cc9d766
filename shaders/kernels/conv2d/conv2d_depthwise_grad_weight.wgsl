//! uses group, conv2d_shape
//
// Gradient of a depthwise convolution's weight, (GROUPS OUT, IN, KH, KW), with IN or OUT one.
//
// A workgroup makes TAPS_H x TAPS_W neighbouring taps of one window, that of an output and an input
// channel. Its invocations share the stretches of TILE_W neighbours in the output's rows, each taking
// every LANES-th, in order; a stretch of the gradient and a row of the input serve all taps. Then the
// invocations' sums are added in order. Where stretches are too many for that, PARTS workgroups share them, and
// result holds their parts, one behind the other.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const LANES: u32 = 64u; // tunable
const TAPS_H: u32 = 3u; // tunable
const TAPS_W: u32 = 3u; // tunable
const TILE_W: u32 = 4u; // tunable
const PARTS: u32 = 1u; // shape

const SPAN: u32 = (TILE_W - 1u) * SW + (TAPS_W - 1u) * DW + 1u;

var<workgroup> lane_sums: array<f32, LANES * TAPS_H * TAPS_W>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const CHUNKS_H = (KH + TAPS_H - 1u) / TAPS_H;
    const CHUNKS_W = (KW + TAPS_W - 1u) / TAPS_W;
    const TILES_W = (OW + TILE_W - 1u) / TILE_W;
    const WORKGROUPS = GROUPS * OUT * IN * CHUNKS_H * CHUNKS_W;
    const COUNT = IMAGES * OH * TILES_W;
    const PART_COUNT = (COUNT + PARTS - 1u) / PARTS;
    let part = group_number(group, groups) / WORKGROUPS;
    if (part >= PARTS) {
        return;
    }
    let number = group_number(group, groups) % WORKGROUPS;
    let first_kw = number % CHUNKS_W * TAPS_W;
    let first_kh = number / CHUNKS_W % CHUNKS_H * TAPS_H;
    let window = number / (CHUNKS_W * CHUNKS_H);
    let channel = window / IN;
    let source = channel / OUT * IN + window % IN;
    var sums: array<array<f32, TAPS_W>, TAPS_H>;
    var stretch: array<f32, TILE_W>;
    var row: array<f32, SPAN>;
    for (var i = part * PART_COUNT + lane; i < min((part + 1u) * PART_COUNT, COUNT); i += LANES) {
        let ow = i % TILES_W * TILE_W;
        let oh = i / TILES_W % OH;
        let image = i / (TILES_W * OH);
        let line = ((image * GROUPS * OUT + channel) * OH + oh) * OW;
        for (var t = 0u; t < TILE_W; t++) {
            stretch[t] = select(0.0, gradient[line + min(ow + t, OW - 1u)], ow + t < OW);
        }
        let first_h = i32(oh * SH + first_kh * DH) - PH;
        let first_w = i32(ow * SW + first_kw * DW) - PW;
        let plane = (image * GROUPS * IN + source) * H;
        for (var a = 0u; a < TAPS_H; a++) {
            let h = first_h + i32(a * DH);
            let place = (plane + u32(clamp(h, 0, i32(H) - 1))) * W;
            for (var j = 0u; j < SPAN; j++) {
                let w = first_w + i32(j);
                let inside = h >= 0 && h < i32(H) && w >= 0 && w < i32(W);
                row[j] = select(0.0, input[place + u32(clamp(w, 0, i32(W) - 1))], inside);
            }
            for (var b = 0u; b < TAPS_W; b++) {
                var sum = sums[a][b];
                for (var t = 0u; t < TILE_W; t++) {
                    sum = fma(stretch[t], row[t * SW + b * DW], sum);
                }
                sums[a][b] = sum;
            }
        }
    }
    for (var a = 0u; a < TAPS_H; a++) {
        for (var b = 0u; b < TAPS_W; b++) {
            lane_sums[(a * TAPS_W + b) * LANES + lane] = sums[a][b];
        }
    }
    workgroupBarrier();
    for (var tap = lane; tap < TAPS_H * TAPS_W; tap += LANES) {
        var sum = lane_sums[tap * LANES];
        for (var l = 1u; l < LANES; l++) {
            sum += lane_sums[tap * LANES + l];
        }
        let kh = first_kh + tap / TAPS_W;
        let kw = first_kw + tap % TAPS_W;
        if (kh < KH && kw < KW) {
            result[((part * (GROUPS * OUT * IN) + window) * KH + kh) * KW + kw] = sum;
        }
    }
}
