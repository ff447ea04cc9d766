//! fills finalize
//
// Keeps a part's moments for batch_norm_merge; a part's elements are known.
@group(0) @binding(1) var<storage, read_write> partial: array<vec2<f32>>;

fn finalize(c: u32, part: u32, shift: f32, moments: vec3<f32>) {
    partial[c * PARTS + part] = moments.yz;
}
