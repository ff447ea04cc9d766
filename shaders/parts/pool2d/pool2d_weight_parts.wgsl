//! uses element, pool2d_weight, stretch
//! fills made
//
// parts[p][w] = sum of weight(tap) over every PARTS-th tap of window w that its average counts, from tap p on:
// for pool2d_weight_kept.
//
// Taps come in row-major order. Windows of one plane: all planes' are alike.

const PARTS: u32 = 2u; // shape

fn made(i: u32) -> Element {
    const WINDOWS = u32(OUT_H * OUT_W);
    let o = i32(i % WINDOWS);
    let taps = counted_taps(window_of(o / OUT_W, o % OUT_W));
    let columns = u32(taps.end_x - taps.first_x);
    let count = u32(taps.end_y - taps.first_y) * columns;
    var tap = i / WINDOWS;
    var sum = 0.0;
    while (tap < count) {
        var stretch = 0.0;
        for (var k = 0u; k < STRETCH && tap < count; k++) {
            stretch += weight(taps.first_y + i32(tap / columns), taps.first_x + i32(tap % columns));
            tap += PARTS;
        }
        sum += stretch;
    }
    return sum;
}
