//! uses group
//
// Ends the watch of a step: the first step in which anything was not finite, the first node, and each node's
// count in that step, are kept; steps after it change nothing.
//
// report: the step's number, the number of this run (from 1), then what is kept: the complement of the run's number, so
// that the first is the largest; its step's number; all counts. It is all zeros where nothing was found. An invocation
// looks at one count.
@group(0) @binding(0) var<storage, read> counts: array<u32>;
@group(0) @binding(1) var<storage, read_write> report: array<atomic<u32>>;

const COUNTS: u32 = 1u; // shape
const STRIDE: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= COUNTS) {
        return;
    }
    let count = counts[i * STRIDE];
    if (count == 0u) {
        return;
    }
    let run = ~atomicLoad(&report[1]);
    if (atomicMax(&report[2], run) > run) {
        return;
    }
    atomicStore(&report[3], atomicLoad(&report[0]));
    atomicStore(&report[4u + i], count);
}
