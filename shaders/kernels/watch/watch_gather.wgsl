//! uses group
//! hole word(source: u32, at: u32) -> u32
//!     by the session
//
// Counts what is not finite in many small tensors at the end of a step. A row of the table is the work of one
// workgroup: number of the source, first word, words, and which count to add to.
//
// Sources are whole buffers; word(source, at) reads one of them.
@group(0) @binding(0) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> counts: array<atomic<u32>>;

const LEAST_BITS: u32 = 0x7f800000u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let number = group_number(group, groups);
    if (number >= arrayLength(&table)) {
        return;
    }
    let row = table[number];
    var found = 0u;
    for (var i = lane; i < row.z; i += 64u) {
        found += u32((word(row.x, row.y + i) & 0x7fffffffu) >= LEAST_BITS);
    }
    if (found != 0u) {
        atomicAdd(&counts[row.w], found);
    }
}
