//! fills finalize
//
// What follows from the sums over a row, with the formula of row_norm_grad: a line in gradient and source,
// lines[row] = (shift, factor of gradient, factor of source - shift, what is added).
@group(0) @binding(5) var<storage, read_write> lines: array<vec4<f32>>;

const ELEMENTS: f32 = 8.0; // shape

fn finalize(row: u32, part: u32, line: vec4<f32>, sums: vec2<f32>) {
    let slope = -line.z * line.z * line.z * sums.y / ELEMENTS;
    lines[row] = vec4(line.x, line.z, slope, -line.z * sums.x / ELEMENTS - slope * line.y);
}
