// B of the weight's gradient: row k = (image, oh, ow), column n = (channel, kh, kw), gathered from
// the input without being written out. What lies in the padding is zero.
@group(0) @binding(1) var<storage, read> input: array<f32>;

fn input_at(z: u32, k: u32, tap: Tap) -> f32 {
    let h = i32(k / OW % OH * SH + tap.h * DH) - PH;
    let w = i32(k % OW * SW + tap.w * DW) - PW;
    if (h < 0 || h >= i32(H) || w < 0 || w >= i32(W)) {
        return 0.0;
    }
    return input[((((k / (OH * OW)) * GROUPS + z) * IN + tap.channel) * H + u32(h)) * W + u32(w)];
}

fn rhs_block(z: u32, k: u32, n: u32) -> mat4x4<f32> {
    let t0 = tap_of(min(n, N - 1u));
    let t1 = tap_of(min(n + 1u, N - 1u));
    let t2 = tap_of(min(n + 2u, N - 1u));
    let t3 = tap_of(min(n + 3u, N - 1u));
    var block = mat4x4<f32>();
    for (var i = 0u; i < 4u; i++) {
        if (K % 4u == 0u || k + i < K) {
            block[i] = vec4(input_at(z, k + i, t0), input_at(z, k + i, t1), input_at(z, k + i, t2), input_at(z, k + i, t3));
        }
    }
    return block;
}
