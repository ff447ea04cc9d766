//! fills load_gradients
//
// Output channels, APART from one another, by a stretch of a row of the output's gradient, element by element. What lies past
// the row's end is zero, and all of it is where `inside` is false.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;

fn load_gradients(image: u32, first: u32, m: u32, oh: u32, ow: u32, inside: bool) {
    for (var b = 0u; b < STRETCHES; b++) {
        let line = ((image * (GROUPS * OUT) + first + min(m + b * APART, OUT - 1u)) * OH + oh) * OW;
        for (var t = 0u; t < TILE_W; t++) {
            gradients[b][t] = select(0.0, gradient[line + min(ow + t, OW - 1u)], inside && ow + t < OW);
        }
    }
}
