// Outer products of 4 x 4 blocks, one term of the sum at a time, from which gemm_tiled, gemm_pipelined
// and gemm_small are made.

// An invocation's 8 x 8 of the result: block ij lies i blocks down and j blocks to the right.
struct Blocks {
    c00: mat4x4<f32>,
    c01: mat4x4<f32>,
    c10: mat4x4<f32>,
    c11: mat4x4<f32>,
}

// c[i] += a[i] b, for one k.
fn outer(c: mat4x4<f32>, a: vec4<f32>, b: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(fma(vec4(a.x), b, c[0]), fma(vec4(a.y), b, c[1]), fma(vec4(a.z), b, c[2]), fma(vec4(a.w), b, c[3]));
}

// One k for all blocks: rows of A from a0 and a1, columns of B from b0 and b1.
fn outer_blocks(c: Blocks, a0: vec4<f32>, a1: vec4<f32>, b0: vec4<f32>, b1: vec4<f32>) -> Blocks {
    return Blocks(outer(c.c00, a0, b0), outer(c.c01, a0, b1), outer(c.c10, a1, b0), outer(c.c11, a1, b1));
}
