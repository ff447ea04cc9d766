//! uses conv2d_shape
//
// Winograd's algorithm for windows of 3 x 3 and stride 1: 4 x 4 inputs and 2 x 2 outputs of a tile meet
// in 16 multiplications instead of 36. Each operand is transformed to 16 numbers a tile or window, 16
// matrix products multiply them over the channels, or over all tiles, and the products are transformed
// back. One axis, from inputs d, window g and the gradient e of the outputs, with the four products m:
//   d0 - d2, d1 + d2, d2 - d1, d1 - d3
//   g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2
//   e0, (e0 + e1) / 2, (e0 - e1) / 2, e1
//   outputs m0 + m1 + m2, m1 - m2 - m3; window's gradient m0 + m1 + m2, m1 - m2, m1 + m2 - m3
// On two axes the first is transformed, then the second: number 4 b + a is transform b along a row of
// transform a along a column.
//
// IN and OUT are channels of source and result. With FLIP the window is rotated by half a turn and its
// channel dimensions are exchanged: the gradient of the input, from that of the output.
const FLIP: bool = false; // shape

const TILES_H: u32 = (OH + 1u) / 2u;
const TILES_W: u32 = (OW + 1u) / 2u;
const TILES: u32 = IMAGES * TILES_H * TILES_W;
// Columns of the products: tiles, and zeros up to a multiple of four.
const COLUMNS: u32 = (TILES + 3u) / 4u * 4u;

// The first output of a tile.
fn tile_start(tile: u32) -> Pixel {
    return Pixel(tile / (TILES_H * TILES_W), i32(tile / TILES_W % TILES_H * 2u), i32(tile % TILES_W * 2u));
}

// Where a row of a window starts in the weight.
fn weight_place(r: u32, c: u32, kh: u32) -> u32 {
    return select((r * IN + c) * 9u + kh * 3u, (c * OUT + r) * 9u + 6u - kh * 3u, FLIP);
}

// Whether Winograd's differences may have made of infinities, or of the largest numbers, what the window would not.
fn is_lost(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u;
}
