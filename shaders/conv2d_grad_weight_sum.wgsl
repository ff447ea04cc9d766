// Adds the parts of conv2d_grad_weight_direct in order and stores them as (GROUPS OUT, IN, KH, KW).
//
// An invocation adds one vec4 of output channels; parts is (SPLITS, group, input channel, kh, kw,
// RESULT_BLOCKS vec4s of output channels).
@group(0) @binding(0) var<storage, read> parts: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const SPLITS: u32 = 1u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const RESULT_BLOCKS = (OUT + 7u) / 8u * 2u;
    const ELEMENTS = IN * KH * KW;
    let i = group_number(group, groups) * 64u + lane;
    if (i >= GROUPS * ELEMENTS * RESULT_BLOCKS) {
        return;
    }
    var sum = parts[i];
    for (var s = 1u; s < SPLITS; s++) {
        sum += parts[i + s * (GROUPS * ELEMENTS * RESULT_BLOCKS)];
    }
    let m = i % RESULT_BLOCKS * 4u;
    let element = i / RESULT_BLOCKS % ELEMENTS;
    let z = i / (RESULT_BLOCKS * ELEMENTS);
    for (var c = 0u; c < 4u; c++) {
        if (m + c < OUT) {
            result[(z * OUT + m + c) * ELEMENTS + element] = sum[c];
        }
    }
}
