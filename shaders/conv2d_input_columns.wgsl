// B of the forward pass: row k = (channel, kh, kw), column n = (image, oh, ow), gathered from the
// input without being written out. What lies in the padding is zero.
@group(0) @binding(1) var<storage, read> input: array<f32>;

fn window_of(n: u32) -> Pixel {
    let i = min(n, N - 1u);
    return Pixel(i / (OH * OW), i32(i / OW % OH * SH) - PH, i32(i % OW * SW) - PW);
}

fn input_at(z: u32, window: Pixel, tap: Tap) -> f32 {
    let h = window.h + i32(tap.h * DH);
    let w = window.w + i32(tap.w * DW);
    if (h < 0 || h >= i32(H) || w < 0 || w >= i32(W)) {
        return 0.0;
    }
    return input[(((window.image * GROUPS + z) * IN + tap.channel) * H + u32(h)) * W + u32(w)];
}

fn rhs_block(z: u32, k: u32, n: u32) -> mat4x4<f32> {
    let w0 = window_of(n);
    let w1 = window_of(n + 1u);
    let w2 = window_of(n + 2u);
    let w3 = window_of(n + 3u);
    var block = mat4x4<f32>();
    for (var i = 0u; i < 4u; i++) {
        if (K % 4u == 0u || k + i < K) {
            let tap = tap_of(k + i);
            block[i] = vec4(input_at(z, w0, tap), input_at(z, w1, tap), input_at(z, w2, tap), input_at(z, w3, tap));
        }
    }
    return block;
}
