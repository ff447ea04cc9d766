//! uses group, conv2d_correlation
//! hole load_row(line: u32, first_w: i32)
//!     by conv2d_row, conv2d_row_vec4
//! hole add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> { return values; }
//!     by gemm_bias_rows
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// Output of a depthwise convolution, or the gradient of its input; see conv2d_correlation.
//
// An invocation makes TILE_H x TILE_W results of one channel. It reads the rows of sources that these
// need once, for all taps. The sum runs over source channels (one forward, the multiplier backward),
// kh and kw in order. Neighbours lie side by side along a row of tiles.
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const TILE_H: u32 = 2u; // tunable
const TILE_W: u32 = 4u; // tunable

const ROWS: u32 = ((TILE_H - 1u) * SH + (KH - 1u) * DH) / UH + 1u;
const SPAN: u32 = ((TILE_W - 1u) * SW + (KW - 1u) * DW) / UW + 1u;

var<private> row: array<f32, SPAN>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const TILES_H = (OH + LEAD_H + TILE_H - 1u) / TILE_H;
    const TILES_W = (OW + LEAD_W + TILE_W - 1u) / TILE_W;
    let i = group_number(group, groups) * 64u + lane;
    if (i >= IMAGES * GROUPS * OUT * TILES_H * TILES_W) {
        return;
    }
    let ow = i32(i % TILES_W * TILE_W) - i32(LEAD_W);
    let oh = i32(i / TILES_W % TILES_H * TILE_H) - i32(LEAD_H);
    let plane = i / (TILES_W * TILES_H);
    let m = plane % OUT;
    let z = plane / OUT % GROUPS;
    let image = plane / (OUT * GROUPS);
    let first_h = (oh * i32(SH) - PH) / i32(UH);
    let first_w = (ow * i32(SW) - PW) / i32(UW);

    var sums: array<array<f32, TILE_W>, TILE_H>;
    var rows: array<array<f32, SPAN>, ROWS>;
    var taps: array<array<f32, KW>, KH>;
    for (var c = 0u; c < IN; c++) {
        let source = ((image * GROUPS + z) * IN + c) * (H * W);
        for (var r = 0u; r < ROWS; r++) {
            let h = first_h + i32(r);
            let inside = h >= 0 && h < i32(H);
            // A row in the padding is read where all of it is padding.
            load_row(source + u32(clamp(h, 0, i32(H) - 1)) * W, select(-i32(SPAN + W), first_w, inside));
            rows[r] = row;
        }
        for (var kh = 0u; kh < KH; kh++) {
            for (var kw = 0u; kw < KW; kw++) {
                taps[kh][kw] = weight[weight_place(z, m, c, kh, kw)];
            }
        }
        for (var r = 0u; r < TILE_H; r++) {
            for (var t = 0u; t < TILE_W; t++) {
                var sum = sums[r][t];
                for (var kh = 0u; kh < KH; kh++) {
                    for (var kw = 0u; kw < KW; kw++) {
                        if ((r * SH + kh * DH) % UH == 0u && (t * SW + kw * DW) % UW == 0u) {
                            sum = fma(rows[(r * SH + kh * DH) / UH][(t * SW + kw * DW) / UW], taps[kh][kw], sum);
                        }
                    }
                }
                sums[r][t] = sum;
            }
        }
    }
    let channel = z * OUT + m;
    for (var r = 0u; r < TILE_H; r++) {
        for (var t = 0u; t < TILE_W; t++) {
            let h = oh + i32(r);
            let w = ow + i32(t);
            if (h >= 0 && h < i32(OH) && w >= 0 && w < i32(OW)) {
                let at = (plane * OH + u32(h)) * OW + u32(w);
                result[at] = epilogue(at, add_bias(vec4(sums[r][t]), channel, 0u).x);
            }
        }
    }
}
