//! uses group
//
// Fills workgroup memory with NaN, which stays there until a workgroup of another kernel writes: a kernel that
// reads what it has not written shows it.
@group(0) @binding(0) var<storage, read_write> result: array<f32>;

const GROUPS: u32 = 64u; // shape

const WORDS: u32 = 4096u;

var<workgroup> memory: array<u32, WORDS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let number = group_number(group, groups);
    if (number >= GROUPS) {
        return;
    }
    for (var i = lane; i < WORDS; i += 64u) {
        memory[i] = 0x7fc00000u;
    }
    workgroupBarrier();
    // Or a compiler would leave all of it out.
    if (lane == 0u) {
        result[number] = bitcast<f32>(memory[number % WORDS]);
    }
}
