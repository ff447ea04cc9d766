//! uses conv2d_shape
//! fills rhs
//
// B of a pointwise convolution's weight gradient: row k = (image, pixel), column n = input channel,
// for planes divisible by 4: one vec4 load a column.
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;

// The first plane of each column's channel.
alias RhsStart = vec4<u32>;

fn rhs_start(z: u32, n: u32) -> RhsStart {
    return (z * IN + min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(IN - 1u))) * (H * W / 4u);
}

fn rhs_block(start: RhsStart, k: u32) -> mat4x4<f32> {
    let at = start + k / (H * W) * (GROUPS * IN * H * W / 4u) + k % (H * W) / 4u;
    return transpose(mat4x4<f32>(input[at.x], input[at.y], input[at.z], input[at.w]));
}
