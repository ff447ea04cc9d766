//! uses group, beyond, team_best, axis_rows
//
// result[row] = the best of the PARTS candidates of a row: indices along the axis that argmax found in parts of it,
// in order. Of equals it is the first.
//
// A workgroup makes a row (axis_rows), each invocation looking at every 64th candidate in order; the finds are
// then compared as a fixed tree.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> candidates: array<i32>;
@group(0) @binding(2) var<storage, read_write> result: array<i32>;

const ROWS: u32 = 64u; // shape
const PARTS: u32 = 2u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups);
    // Workgroups past the end go along, for the barriers' sake.
    let clamped = min(row, ROWS - 1u);
    let base = row_base(clamped);
    var best = u32(candidates[clamped * PARTS + min(lane, PARTS - 1u)]);
    var found = x[base + best * INNER];
    for (var k = lane + 64u; k < PARTS; k += 64u) {
        let index = u32(candidates[clamped * PARTS + k]);
        let value = x[base + index * INNER];
        if (beyond(value, found)) {
            found = value;
            best = index;
        }
    }
    best = team_best(found, best, lane);
    if (lane == 0u && row < ROWS) {
        result[row] = i32(best);
    }
}
