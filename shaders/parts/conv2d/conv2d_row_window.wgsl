//! uses conv2d_correlation, conv2d_gather
//
// A row of a window of three to seven taps, by sixteen neighbours in a row, without an array that a loop
// indexes.
@group(0) @binding(0) var<storage, read> weight: array<f32>;

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

fn stretch(image: u32, z: u32, c: u32, h: u32, first: u32) -> Stretch {
    let line = (((image * GROUPS + z) * IN + c) * H + h) * W;
    let inside = h < H;
    var x: Stretch;
    x.a = sources(line, first, inside);
    x.b = sources(line, first + 4u, inside);
    x.c = sources(line, first + 8u, inside);
    x.d = sources(line, first + 12u, inside);
    x.e = sources(line, first + 16u, inside);
    if (KW > 5u) {
        x.f = sources(line, first + 20u, inside);
    }
    return x;
}

fn slides(x: Stretch, w0: vec4<f32>, w1: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(slide(x.a, x.b, x.c, w0, w1), slide(x.b, x.c, x.d, w0, w1), slide(x.c, x.d, x.e, w0, w1), slide(x.d, x.e, x.f, w0, w1));
}
