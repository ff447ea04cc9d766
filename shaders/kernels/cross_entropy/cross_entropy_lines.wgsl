//! uses group
//
// lines[r] = (m, below, maximal, gap) of the scores x[r] of a row: the largest; the sum of exp(x - m) over the classes
// below it, and how many reach it; the sum of (m - x) times the class's weight, of any contents without smoothing.
// All were reduced before. One invocation makes one row.
@group(0) @binding(0) var<storage, read> maxima: array<f32>;
@group(0) @binding(1) var<storage, read> below: array<f32>;
@group(0) @binding(2) var<storage, read> maximal: array<f32>;
@group(0) @binding(3) var<storage, read> gaps: array<f32>;
@group(0) @binding(4) var<storage, read_write> lines: array<vec4<f32>>;

const ROWS: u32 = 128u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * 64u + lane;
    if (row < ROWS) {
        lines[row] = vec4(maxima[row], below[row], maximal[row], gaps[row]);
    }
}
