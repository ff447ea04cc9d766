//! fills augment_pixel
//
// Pixels that are floats.
@group(0) @binding(0) var<storage, read> pixels: array<f32>;

fn augment_pixel(i: u32) -> f32 {
    return pixels[i];
}
