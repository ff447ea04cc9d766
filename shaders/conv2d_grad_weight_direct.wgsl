// Gradient of a convolution's weight with a sliding window, from operands packed by channels_last:
// gradient (image, pixel, group, RESULT_BLOCKS vec4s of output channels) and input (image, pixel,
// group, CHANNEL_BLOCKS vec4s of input channels).
//
// An invocation makes 8 output x 4 input channels x TAPS neighbours in one row of the window, summed
// over IMAGES_PER_SPLIT images: images, rows and columns of the output in order. Where windows
// move by one, a loaded pixel serves all taps. parts is (SPLITS, group, input channel, kh, kw,
// RESULT_BLOCKS vec4s of output channels); conv2d_grad_weight_sum adds them.
@group(0) @binding(0) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> parts: array<vec4<f32>>;

const TAPS: u32 = 3u; // tunable
const IMAGES_PER_SPLIT: u32 = 1u; // tunable

const RESULT_BLOCKS: u32 = (OUT + 7u) / 8u * 2u;
const CHANNEL_BLOCKS: u32 = (IN + 3u) / 4u;

fn input_at(row: u32, w: i32, block: u32) -> vec4<f32> {
    let at = (row + u32(clamp(w, 0, i32(W) - 1))) * (GROUPS * CHANNEL_BLOCKS) + block;
    return select(vec4<f32>(), input[at], w >= 0 && w < i32(W));
}

// sum[c] += x[c] g
fn outer(sum: mat4x4<f32>, x: vec4<f32>, g: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(fma(vec4(x.x), g, sum[0]), fma(vec4(x.y), g, sum[1]), fma(vec4(x.z), g, sum[2]), fma(vec4(x.w), g, sum[3]));
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const CHUNKS = (KW + TAPS - 1u) / TAPS;
    const SPLITS = (IMAGES + IMAGES_PER_SPLIT - 1u) / IMAGES_PER_SPLIT;
    const MOVES_BY_ONE = SW == 1u && DW == 1u;
    let i = group_number(group, groups) * 32u + lane;
    let pair = i % (RESULT_BLOCKS / 2u);
    let chunk = i / (RESULT_BLOCKS / 2u) % CHUNKS;
    let kh = i / (RESULT_BLOCKS / 2u * CHUNKS) % KH;
    let block = i / (RESULT_BLOCKS / 2u * CHUNKS * KH) % CHANNEL_BLOCKS;
    let z = i / (RESULT_BLOCKS / 2u * CHUNKS * KH * CHANNEL_BLOCKS) % GROUPS;
    let split = i / (RESULT_BLOCKS / 2u * CHUNKS * KH * CHANNEL_BLOCKS * GROUPS);
    if (split >= SPLITS) {
        return;
    }
    let first_w = i32(chunk * TAPS * DW) - PW;
    let x_block = z * CHANNEL_BLOCKS + block;
    var low: array<mat4x4<f32>, TAPS>;
    var high: array<mat4x4<f32>, TAPS>;
    var window: array<vec4<f32>, TAPS>;
    for (var image = split * IMAGES_PER_SPLIT; image < min(IMAGES, (split + 1u) * IMAGES_PER_SPLIT); image++) {
        for (var oh = 0u; oh < OH; oh++) {
            let h = i32(oh * SH + kh * DH) - PH;
            if (h >= 0 && h < i32(H)) {
                let row = (image * H + u32(h)) * W;
                if (MOVES_BY_ONE) {
                    for (var t = 1u; t < TAPS; t++) {
                        window[t] = input_at(row, first_w + i32(t) - 1, x_block);
                    }
                }
                var at = (((image * OH + oh) * OW) * GROUPS + z) * RESULT_BLOCKS + pair * 2u;
                for (var ow = 0u; ow < OW; ow++) {
                    let g_low = gradient[at];
                    let g_high = gradient[at + 1u];
                    at += GROUPS * RESULT_BLOCKS;
                    let w = i32(ow * SW) + first_w;
                    if (MOVES_BY_ONE) {
                        for (var t = 1u; t < TAPS; t++) {
                            window[t - 1u] = window[t];
                        }
                        window[TAPS - 1u] = input_at(row, w + i32(TAPS) - 1, x_block);
                    } else {
                        for (var t = 0u; t < TAPS; t++) {
                            window[t] = input_at(row, w + i32(t * DW), x_block);
                        }
                    }
                    for (var t = 0u; t < TAPS; t++) {
                        low[t] = outer(low[t], window[t], g_low);
                        high[t] = outer(high[t], window[t], g_high);
                    }
                }
            }
        }
    }
    for (var t = 0u; t < TAPS; t++) {
        let kw = chunk * TAPS + t;
        for (var c = 0u; c < 4u; c++) {
            let channel = block * 4u + c;
            if (kw < KW && channel < IN) {
                let at = ((((split * GROUPS + z) * IN + channel) * KH + kh) * KW + kw) * RESULT_BLOCKS + pair * 2u;
                parts[at] = low[t][c];
                parts[at + 1u] = high[t][c];
            }
        }
    }
}
