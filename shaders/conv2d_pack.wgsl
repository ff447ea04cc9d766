// Weights in the order that conv2d_direct reads them: packed[z][channel][kh][kw][block of 4 results].
//
// Forward, the channel is an input channel and the results are output channels. For the gradient of
// the input (FLIP) they change places and the window is turned by half a turn. Results past the last
// are zero. One invocation, one vec4. IN and OUT are those of conv2d_direct's own shape.
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> packed: array<vec4<f32>>;

const FLIP: bool = false; // shape
const RESULT_BLOCKS: u32 = 2u; // shape

fn weight_at(z: u32, channel: u32, tap: u32, result: u32) -> f32 {
    if (result >= OUT) {
        return 0.0;
    }
    if (FLIP) {
        return weight[((z * IN + channel) * OUT + result) * (KH * KW) + (KH * KW - 1u - tap)];
    }
    return weight[((z * OUT + result) * IN + channel) * (KH * KW) + tap];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= GROUPS * IN * KH * KW * RESULT_BLOCKS) {
        return;
    }
    let result = i % RESULT_BLOCKS * 4u;
    let tap = i / RESULT_BLOCKS % (KH * KW);
    let channel = i / (RESULT_BLOCKS * KH * KW) % IN;
    let z = i / (RESULT_BLOCKS * KH * KW * IN);
    packed[i] = vec4(
        weight_at(z, channel, tap, result),
        weight_at(z, channel, tap, result + 1u),
        weight_at(z, channel, tap, result + 2u),
        weight_at(z, channel, tap, result + 3u),
    );
}
