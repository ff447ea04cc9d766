//! fills finalize
//
// Keeps a part's sums for batch_norm_grad_merge.
@group(0) @binding(4) var<storage, read_write> partial: array<vec2<f32>>;

fn finalize(c: u32, part: u32, line: vec4<f32>, sums: vec2<f32>) {
    partial[c * PARTS + part] = sums;
}
