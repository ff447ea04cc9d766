// B of the input's gradient: row k = (output channel, kh, kw), column n = (image, h, w), gathered
// from the output's gradient. Zero where the tap at (kh, kw) of no window covers (h, w).
@group(0) @binding(1) var<storage, read> gradient: array<f32>;

fn pixel_of(n: u32) -> Pixel {
    let i = min(n, N - 1u);
    return Pixel(i / (H * W), i32(i / W % H) + PH, i32(i % W) + PW);
}

fn gradient_at(z: u32, pixel: Pixel, tap: Tap) -> f32 {
    let h = pixel.h - i32(tap.h * DH);
    let w = pixel.w - i32(tap.w * DW);
    if (h < 0 || w < 0) {
        return 0.0;
    }
    let oh = u32(h) / SH;
    let ow = u32(w) / SW;
    if (u32(h) % SH != 0u || u32(w) % SW != 0u || oh >= OH || ow >= OW) {
        return 0.0;
    }
    return gradient[(((pixel.image * GROUPS + z) * OUT + tap.channel) * OH + oh) * OW + ow];
}

fn rhs_block(z: u32, k: u32, n: u32) -> mat4x4<f32> {
    let p0 = pixel_of(n);
    let p1 = pixel_of(n + 1u);
    let p2 = pixel_of(n + 2u);
    let p3 = pixel_of(n + 3u);
    var block = mat4x4<f32>();
    for (var i = 0u; i < 4u; i++) {
        if (K % 4u == 0u || k + i < K) {
            let tap = tap_of(k + i);
            block[i] = vec4(gradient_at(z, p0, tap), gradient_at(z, p1, tap), gradient_at(z, p2, tap), gradient_at(z, p3, tap));
        }
    }
    return block;
}
