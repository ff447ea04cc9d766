//! fills augment_contrast
//
// The colour nearer to, or further from, the mean grey value of its image.
@group(0) @binding(3) var<storage, read> means: array<f32>;

fn augment_contrast(color: vec3<f32>, n: u32, factor: f32) -> vec3<f32> {
    return clamp(factor * color + vec3((1.0 - factor) * means[n]), vec3(0.0), vec3(1.0));
}
