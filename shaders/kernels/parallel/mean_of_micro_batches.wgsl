//! uses group, normal_or_zero
//
// mean = SHARE * mean, element by element: a sum over micro-batches becomes their mean.
//
// One workgroup makes 256 neighbouring vectors of four, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read_write> mean: array<vec4<f32>>;

const SHARE: f32 = 0.5; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * 256u + lane;
    let end = arrayLength(&mean);
    for (var item = 0u; item < 4u; item++) {
        let i = start + item * 64u;
        if (i < end) {
            mean[i] = normal_or_zero(SHARE * normal_or_zero(mean[i]));
        }
    }
}
