// The place in (N, C, 2 OUT_H, 2 OUT_W) of the tap that won in window `at` of (N, C, OUT_H, OUT_W).
fn winner(at: u32) -> u32 {
    let plane = at / WINDOWS;
    let o = at % WINDOWS;
    let tap = (taps[plane * WORDS + o / 4u] >> (o % 4u * 8u)) & 0xffu;
    let row = o / OUT_W * 2u + tap / 2u;
    return plane * (4u * WINDOWS) + row * (2u * OUT_W) + o % OUT_W * 2u + tap % 2u;
}
