// Convolution with a sliding window and no workgroup memory: a loaded stretch of an input row
// serves every tap of the window's row.
//
// An invocation makes 8 channels of TILE_W neighbours in a row of the output. The sum runs over
// channels, then kh, then kw, in order. Weights come packed by conv2d_pack. The gradient of the
// input of an unstrided convolution is this kernel too, on the output's gradient.
@group(0) @binding(0) var<storage, read> packed: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const TILE_W: u32 = 8u; // tunable

const SPAN: u32 = (TILE_W - 1u) * SW + (KW - 1u) * DW + 1u;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const BLOCKS = (OUT + 7u) / 8u;
    const TILES = (OW + TILE_W - 1u) / TILE_W;
    let i = group_number(group, groups) * 32u + lane;
    if (i >= IMAGES * GROUPS * BLOCKS * OH * TILES) {
        return;
    }
    let oh = i % OH;
    let ow = i / OH % TILES * TILE_W;
    let block = i / (OH * TILES) % BLOCKS;
    let z = i / (OH * TILES * BLOCKS) % GROUPS;
    let image = i / (OH * TILES * BLOCKS * GROUPS);
    let first_h = i32(oh * SH) - PH;
    let first_w = i32(ow * SW) - PW;

    var low: array<vec4<f32>, TILE_W>;
    var high: array<vec4<f32>, TILE_W>;
    var row: array<f32, SPAN>;
    for (var c = 0u; c < IN; c++) {
        let plane = ((image * GROUPS + z) * IN + c) * (H * W);
        for (var kh = 0u; kh < KH; kh++) {
            let h = first_h + i32(kh * DH);
            if (h >= 0 && h < i32(H)) {
                let line = plane + u32(h) * W;
                for (var j = 0u; j < SPAN; j++) {
                    let w = first_w + i32(j);
                    row[j] = select(0.0, input[line + u32(clamp(w, 0, i32(W) - 1))], w >= 0 && w < i32(W));
                }
                var at = (((z * IN + c) * KH + kh) * KW * BLOCKS + block) * 2u;
                for (var kw = 0u; kw < KW; kw++) {
                    let weight_low = packed[at];
                    let weight_high = packed[at + 1u];
                    at += BLOCKS * 2u;
                    for (var t = 0u; t < TILE_W; t++) {
                        low[t] = fma(vec4(row[t * SW]), weight_low, low[t]);
                        high[t] = fma(vec4(row[t * SW]), weight_high, high[t]);
                    }
                    // Shifting the row keeps every index a constant, so that it stays in registers.
                    for (var j = 0u; j + DW < SPAN; j++) {
                        row[j] = row[j + DW];
                    }
                }
            }
        }
    }
    for (var t = 0u; t < TILE_W; t++) {
        if (ow + t < OW) {
            for (var c = 0u; c < 4u; c++) {
                let m = block * 8u + c;
                let channel = z * OUT + m;
                let at = ((image * GROUPS * OUT + channel) * OH + oh) * OW + ow + t;
                if (m < OUT) {
                    result[at] = finish(at, epilogue(vec4(low[t][c]), channel, 0u).x);
                }
                if (m + 4u < OUT) {
                    let at_high = at + 4u * OH * OW;
                    result[at_high] = finish(at_high, epilogue(vec4(high[t][c]), channel + 4u, 0u).x);
                }
            }
        }
    }
}
