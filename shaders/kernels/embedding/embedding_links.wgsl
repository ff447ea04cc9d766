//! uses group
//
// The positions of each row of the weight as a list in rising order: heads[r] is the first whose index is
// r, next[p] the one after position p with the index of p, POSITIONS where there is none.
//
// One invocation, one position: it looks at those after it until it finds its successor. A minimum of whole
// numbers is the same in any order.
@group(0) @binding(0) var<storage, read> indices: array<i32>;
@group(0) @binding(1) var<storage, read_write> heads: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> next: array<u32>;

const ROWS: u32 = 8u; // shape
const POSITIONS: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let position = group_number(group, groups) * 64u + lane;
    if (position >= POSITIONS) {
        return;
    }
    let index = indices[position];
    if (index < 0 || index >= i32(ROWS)) {
        return;
    }
    var other = position + 1u;
    while (other < POSITIONS && indices[other] != index) {
        other++;
    }
    next[position] = other;
    atomicMin(&heads[index], position);
}
