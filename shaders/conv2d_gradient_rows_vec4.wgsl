// A of the weight's gradient: row m = output channel, column k = (image, oh, ow), for planes of a
// size divisible by 4: one vec4 load a row.
@group(0) @binding(0) var<storage, read> gradient: array<vec4<f32>>;

fn lhs_block(z: u32, m: u32, k: u32) -> mat4x4<f32> {
    const PLANE = OH * OW / 4u;
    let first = (k / (OH * OW) * GROUPS + z) * OUT;
    let pixel = k % (OH * OW) / 4u;
    return mat4x4<f32>(
        gradient[(first + min(m, OUT - 1u)) * PLANE + pixel],
        gradient[(first + min(m + 1u, OUT - 1u)) * PLANE + pixel],
        gradient[(first + min(m + 2u, OUT - 1u)) * PLANE + pixel],
        gradient[(first + min(m + 3u, OUT - 1u)) * PLANE + pixel],
    );
}
