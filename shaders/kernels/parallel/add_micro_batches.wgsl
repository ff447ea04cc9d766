//! uses group, normal_or_zero
//
// sum = part + sum, element by element: the gradients, statistics and losses of some micro-batches and of others.
//
// One workgroup makes 256 neighbouring vectors of four, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read_write> sum: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> part: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * 256u + lane;
    let end = arrayLength(&sum);
    for (var item = 0u; item < 4u; item++) {
        let i = start + item * 64u;
        if (i < end) {
            sum[i] = normal_or_zero(normal_or_zero(part[i]) + normal_or_zero(sum[i]));
        }
    }
}
