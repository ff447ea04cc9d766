//! fills augment_pixel
//
// Pixels that are bytes, four in a word, as numbers from 0 to 1.
@group(0) @binding(0) var<storage, read> words: array<u32>;

fn augment_pixel(i: u32) -> f32 {
    return f32(extractBits(words[i / 4u], 8u * (i % 4u), 8u)) / 255.0;
}
