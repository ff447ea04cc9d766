//! fills load_gradients
//
// Output channels, APART from one another, by a stretch of a row of the output's gradient, four elements at a time: rows and
// tiles are divisible by 4. What lies past the row's end is zero, and all of it is where `inside` is false.
@group(0) @binding(0) var<storage, read> gradient: array<vec4<f32>>;

fn load_gradients(image: u32, first: u32, m: u32, oh: u32, ow: u32, inside: bool) {
    for (var b = 0u; b < STRETCHES; b++) {
        let line = ((image * (GROUPS * OUT) + first + min(m + b * APART, OUT - 1u)) * OH + oh) * OW;
        for (var t = 0u; t < TILE_W; t += 4u) {
            let four = gradient[(line + min(ow + t, OW - 4u)) / 4u];
            let kept = select(vec4<f32>(), four, inside && ow + t < OW);
            gradients[b][t] = kept.x;
            gradients[b][t + 1u] = kept.y;
            gradients[b][t + 2u] = kept.z;
            gradients[b][t + 3u] = kept.w;
        }
    }
}
