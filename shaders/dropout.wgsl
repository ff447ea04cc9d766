// y[i] = kept(i) ? SCALE * x[i] : 0, for flat tensors whose size four divides.
//
// An invocation makes four neighbouring elements, which share their random words.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

const FOURS: u32 = 64u; // shape
const SCALE: f32 = 2.0; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let four = group_number(group, groups) * 64u + lane;
    if (four < FOURS) {
        y[four] = select(vec4(0.0), SCALE * x[four], kept(four, step[0]));
    }
}
