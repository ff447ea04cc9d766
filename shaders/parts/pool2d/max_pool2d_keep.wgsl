//! fills keep
//
// The taps that won are kept, a word at a time, for the gradient.
@group(0) @binding(2) var<storage, read_write> taps: array<u32>;

fn keep(word: u32, won: u32) {
    taps[word] = won;
}
