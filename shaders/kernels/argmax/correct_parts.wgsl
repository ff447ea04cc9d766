//! uses group, count_sum
//
// counts[part] = how many rows of one part of them have their index at their label.
//
// One workgroup makes one part of PART_ROWS: each invocation counts every 64th row of it (count_sum).
@group(0) @binding(0) var<storage, read> indices: array<i32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;

const ROWS: u32 = 128u; // shape
const PARTS: u32 = 1u; // shape
const PART_ROWS: u32 = 128u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let part = group_number(group, groups);
    let end = select(0u, min((part + 1u) * PART_ROWS, ROWS), part < PARTS);
    var right = 0u;
    for (var n = part * PART_ROWS + lane; n < end; n += 64u) {
        right += u32(indices[n] == labels[n]);
    }
    let sum = count_sum(right, lane);
    if (lane == 0u && part < PARTS) {
        counts[part] = sum;
    }
}
