// Which tap won in each window, as max_pool2d keeps it.
@group(0) @binding(1) var<storage, read> taps: array<u32>;

const TAPS_PER_WORD: u32 = 4u; // shape

// The tap of output o's window that won.
fn winner(o: u32) -> i32 {
    let bits = 32u / TAPS_PER_WORD;
    let word = taps[o / TAPS_PER_WORD] >> (o % TAPS_PER_WORD * bits);
    return i32(word & (0xffffffffu >> (32u - bits)));
}
