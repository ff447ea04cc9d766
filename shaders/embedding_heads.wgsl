// heads[r] = POSITIONS for every row: no position has it yet. One invocation, one row.
@group(0) @binding(0) var<storage, read_write> heads: array<u32>;

const ROWS: u32 = 8u; // shape
const POSITIONS: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * 64u + lane;
    if (row < ROWS) {
        heads[row] = POSITIONS;
    }
}
