//! fills load_row
//
// A stretch of a source row, element by element. What lies in the padding is zero.
@group(0) @binding(1) var<storage, read> input: array<f32>;

fn load_row(line: u32, first_w: i32) {
    for (var j = 0u; j < SPAN; j++) {
        let w = first_w + i32(j);
        row[j] = select(0.0, input[line + u32(clamp(w, 0, i32(W) - 1))], w >= 0 && w < i32(W));
    }
}
