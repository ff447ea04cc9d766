//! uses group, conv2d_correlation, conv2d_gather
//! hole add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> { return values; }
//!     by gemm_bias_rows
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// Sliding windows along a row, for compilers that unroll no loops: no loop indexes an array. See
// conv2d_correlation. Neighbouring results and taps are one source apart, and a window has three to seven
// taps along the row.
//
// An invocation makes eight result channels of sixteen neighbours in a row. A loaded stretch of a source
// row serves every tap of the window's row and all eight channels. The sum runs over source channels,
// then kh, in order; the taps along the row are added up before they join it.
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const LANES: u32 = 8u; // tunable

// The sources of sixteen results under seven taps.
struct Stretch {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
    e: vec4<f32>,
    f: vec4<f32>,
}

// Four neighbours in a source row. What lies in the padding is zero; numbers below zero wrap.
fn sources(line: u32, first: u32, inside: bool) -> vec4<f32> {
    let w = vec4(first, first + 1u, first + 2u, first + 3u);
    return gathered(w + line, (w < vec4(W)) & vec4(inside));
}

fn tap(z: u32, m: u32, c: u32, kh: u32, kw: u32) -> f32 {
    if (kw < KW) {
        return weight[weight_place(z, m, c, kh, kw)];
    }
    return 0.0;
}

// The taps' sum for four results, whose first sources are a.
fn slide(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, w0: vec4<f32>, w1: vec4<f32>) -> vec4<f32> {
    var sum = w0.x * a;
    sum = fma(vec4(w0.y), vec4(a.yzw, b.x), sum);
    sum = fma(vec4(w0.z), vec4(a.zw, b.xy), sum);
    if (KW > 3u) {
        sum = fma(vec4(w0.w), vec4(a.w, b.xyz), sum);
    }
    if (KW > 4u) {
        sum = fma(vec4(w1.x), b, sum);
    }
    if (KW > 5u) {
        sum = fma(vec4(w1.y), vec4(b.yzw, c.x), sum);
    }
    if (KW > 6u) {
        sum = fma(vec4(w1.z), vec4(b.zw, c.xy), sum);
    }
    return sum;
}

// A channel's sixteen results, after one row of the window.
fn row_of(sums: mat4x4<f32>, x: Stretch, z: u32, channel: u32, c: u32, kh: u32) -> mat4x4<f32> {
    let m = min(channel, OUT - 1u);
    let w0 = vec4(tap(z, m, c, kh, 0u), tap(z, m, c, kh, 1u), tap(z, m, c, kh, 2u), tap(z, m, c, kh, 3u));
    let w1 = vec4(tap(z, m, c, kh, 4u), tap(z, m, c, kh, 5u), tap(z, m, c, kh, 6u), 0.0);
    return sums + mat4x4<f32>(slide(x.a, x.b, x.c, w0, w1), slide(x.b, x.c, x.d, w0, w1), slide(x.c, x.d, x.e, w0, w1), slide(x.d, x.e, x.f, w0, w1));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const BLOCKS = (OUT + 7u) / 8u;
    const TILES = (OW + 15u) / 16u;
    let number = group_number(group, groups);
    let block = number % BLOCKS * 8u;
    let z = number / BLOCKS % GROUPS;
    let place = number / (BLOCKS * GROUPS) * LANES + lane;
    let ow = place % TILES * 16u;
    let oh = place / TILES % OH;
    let image = place / (TILES * OH);
    if (image >= IMAGES) {
        return;
    }
    var sums0 = mat4x4<f32>();
    var sums1 = mat4x4<f32>();
    var sums2 = mat4x4<f32>();
    var sums3 = mat4x4<f32>();
    var sums4 = mat4x4<f32>();
    var sums5 = mat4x4<f32>();
    var sums6 = mat4x4<f32>();
    var sums7 = mat4x4<f32>();
    for (var i = 0u; i < IN * KH; i++) {
        let c = i / KH;
        let kh = i % KH;
        let h = oh + kh * DH - u32(PH);
        let inside = h < H;
        let line = (((image * GROUPS + z) * IN + c) * H + h) * W;
        let first = ow - u32(PW);
        var x: Stretch;
        x.a = sources(line, first, inside);
        x.b = sources(line, first + 4u, inside);
        x.c = sources(line, first + 8u, inside);
        x.d = sources(line, first + 12u, inside);
        x.e = sources(line, first + 16u, inside);
        if (KW > 5u) {
            x.f = sources(line, first + 20u, inside);
        }
        sums0 = row_of(sums0, x, z, block, c, kh);
        sums1 = row_of(sums1, x, z, block + 1u, c, kh);
        sums2 = row_of(sums2, x, z, block + 2u, c, kh);
        sums3 = row_of(sums3, x, z, block + 3u, c, kh);
        sums4 = row_of(sums4, x, z, block + 4u, c, kh);
        sums5 = row_of(sums5, x, z, block + 5u, c, kh);
        sums6 = row_of(sums6, x, z, block + 6u, c, kh);
        sums7 = row_of(sums7, x, z, block + 7u, c, kh);
    }
    // Channels and neighbours take turns in the first place: a store for each sum of its own would take longer to compile
    // than all the rest.
    let channels = min(8u, OUT - block);
    let neighbours = min(16u, OW - ow);
    for (var b = 0u; b < channels; b++) {
        let channel = z * OUT + block + b;
        let line = ((image * GROUPS * OUT + channel) * OH + oh) * OW + ow;
        for (var t = 0u; t < neighbours; t++) {
            let at = line + t;
            result[at] = epilogue(at, add_bias(vec4(sums0[0].x), channel, 0u).x);
            sums0 = mat4x4<f32>(vec4(sums0[0].yzw, sums0[1].x), vec4(sums0[1].yzw, sums0[2].x), vec4(sums0[2].yzw, sums0[3].x), sums0[3].yzww);
        }
        sums0 = sums1;
        sums1 = sums2;
        sums2 = sums3;
        sums3 = sums4;
        sums4 = sums5;
        sums5 = sums6;
        sums6 = sums7;
    }
}
