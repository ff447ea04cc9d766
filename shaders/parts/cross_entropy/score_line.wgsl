//! fills score_line
//
// What was reduced of a row's scores (cross_entropy_lines).
@group(0) @binding(5) var<storage, read> score_lines: array<vec4<f32>>;

fn score_line(row: u32) -> vec4<f32> {
    return score_lines[row];
}
