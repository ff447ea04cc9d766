// y[i] = kept(i) ? SCALE * x[i] : 0, for flat tensors of any size.
//
// An invocation makes four neighbouring elements, which share their random words; the last one as
// many as there are.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const ELEMENTS: u32 = 253u; // shape
const SCALE: f32 = 2.0; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let four = group_number(group, groups) * 64u + lane;
    if (four >= (ELEMENTS + 3u) / 4u) {
        return;
    }
    let keeps = kept(four, step[0]);
    for (var j = 0u; j < min(4u, ELEMENTS - 4u * four); j++) {
        let i = 4u * four + j;
        y[i] = select(0.0, SCALE * x[i], keeps[j]);
    }
}
