//! uses conv2d_shape
//
// Sums over windows of three to seven taps along a row, for compilers that unroll no loops. A line is an
// input channel's row under a row of the window; an invocation has three or five of them.
const LINES: u32 = 5u; // tunable

// A line's inputs under four windows, and where the line is.
struct Stretch {
    first: u32,
    inside: bool,
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
}

// By line.
struct Stretches {
    a: Stretch,
    b: Stretch,
    c: Stretch,
    d: Stretch,
    e: Stretch,
}

// A line's sums, by tap.
struct Taps {
    abc: vec3<f32>,
    d: f32,
    e: f32,
    f: f32,
    g: f32,
}

// An output channel's sums, by line.
struct Lines {
    a: Taps,
    b: Taps,
    c: Taps,
    d: Taps,
    e: Taps,
}

// Sums of eight output channels, by channel and line.
var<private> kept: array<array<f32, 7>, 8u * LINES>;

fn dot_in_order(x: vec4<f32>, y: vec4<f32>, sum: f32) -> f32 {
    return fma(x.w, y.w, fma(x.z, y.z, fma(x.y, y.y, fma(x.x, y.x, sum))));
}

// Adds four windows, by the gradient of each.
fn add(sums: Taps, g: vec4<f32>, x: Stretch) -> Taps {
    var taps = sums;
    taps.abc = fma(vec3(g.x), x.a.xyz, taps.abc);
    taps.abc = fma(vec3(g.y), x.a.yzw, taps.abc);
    taps.abc = fma(vec3(g.z), vec3(x.a.zw, x.b.x), taps.abc);
    taps.abc = fma(vec3(g.w), vec3(x.a.w, x.b.xy), taps.abc);
    if (KW > 3u) {
        taps.d = dot_in_order(g, vec4(x.a.w, x.b.xyz), taps.d);
    }
    if (KW > 4u) {
        taps.e = dot_in_order(g, x.b, taps.e);
    }
    if (KW > 5u) {
        taps.f = dot_in_order(g, vec4(x.b.yzw, x.c.x), taps.f);
    }
    if (KW > 6u) {
        taps.g = dot_in_order(g, vec4(x.b.zw, x.c.xy), taps.g);
    }
    return taps;
}

fn add_lines(sums: Lines, g: vec4<f32>, x: Stretches) -> Lines {
    var lines = sums;
    lines.a = add(lines.a, g, x.a);
    lines.b = add(lines.b, g, x.b);
    lines.c = add(lines.c, g, x.c);
    if (LINES > 3u) {
        lines.d = add(lines.d, g, x.d);
        lines.e = add(lines.e, g, x.e);
    }
    return lines;
}

fn keep(at: u32, taps: Taps) {
    kept[at] = array<f32, 7>(taps.abc.x, taps.abc.y, taps.abc.z, taps.d, taps.e, taps.f, taps.g);
}

fn keep_lines(channel: u32, sums: Lines) {
    let at = channel * LINES;
    keep(at, sums.a);
    keep(at + 1u, sums.b);
    keep(at + 2u, sums.c);
    if (LINES > 3u) {
        keep(at + 3u, sums.d);
        keep(at + 4u, sums.e);
    }
}
