//! uses max_pool2d_taps, pack_4
//! fills gradient_at
//
// The gradient of what 2x2 windows were pooled from: each window's own at the tap that won, else zero.
//
// Four neighbours are two pairs, and a pair is one row of one window, since widths are even.
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read> taps: array<u32>;

fn pair_at(plane: u32, within: u32) -> vec2<f32> {
    let y = within / (2u * OUT_W);
    let o = y / 2u * OUT_W + within % (2u * OUT_W) / 2u;
    let tap = (taps[plane * WORDS + o / 4u] >> (o % 4u * 8u)) & 0xffu;
    let first = y % 2u * 2u;
    return select(vec2(0.0), vec2(gradient[plane * WINDOWS + o]), vec2(tap) == vec2(first, first + 1u));
}

fn gradient_at(i: u32) -> Pack {
    let plane = i / WINDOWS;
    let within = i % WINDOWS * 4u;
    return vec4(pair_at(plane, within), pair_at(plane, within + 2u));
}
