//! fills load_row
//
// A stretch of a source row, four elements at a time, for rows divisible by 4 and tiles that all
// start SHIFT past a multiple of 4. What lies in the padding is zero.
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;

const SHIFT: u32 = 0u; // shape
const VECTORS: u32 = (SHIFT + SPAN + 3u) / 4u;

var<private> vectors: array<vec4<f32>, VECTORS>;

fn load_row(line: u32, first_w: i32) {
    for (var v = 0u; v < VECTORS; v++) {
        let w = first_w - i32(SHIFT) + i32(v * 4u);
        let at = (line + u32(clamp(w, 0, i32(W) - 4))) / 4u;
        vectors[v] = select(vec4<f32>(), input[at], w >= 0 && w < i32(W));
    }
    for (var j = 0u; j < SPAN; j++) {
        row[j] = vectors[(j + SHIFT) / 4u][(j + SHIFT) % 4u];
    }
}
