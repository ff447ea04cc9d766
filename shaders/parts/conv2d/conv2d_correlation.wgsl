//! uses conv2d_shape
//
// What a convolution's output and the gradient of its input have in common. Both are correlations:
// result p of an axis is the sum over taps k of weight k times source (p S + k D - P) / U, over those
// k for which U divides. Forward, the source is the input, S the stride and U = 1. For the gradient
// of the input, the source is the output's gradient, S = 1, U the stride, and the window is turned
// by half a turn (FLIP): no multiplication by the zeros between strides, whatever the phase of p.
//
// Sizes stand in conv2d_shape with results in the place of the output and sources in the
// place of the input. Tiles of results start LEAD before a multiple of their size, where U divides
// p S - P, so that within a tile it is known at compile time which taps meet a source.
const UH: u32 = 1u; // shape
const UW: u32 = 1u; // shape
const LEAD_H: u32 = 0u; // shape
const LEAD_W: u32 = 0u; // shape
const FLIP: bool = false; // shape

// Place of a weight, seen from results and sources.
fn weight_place(z: u32, m: u32, c: u32, kh: u32, kw: u32) -> u32 {
    if (FLIP) {
        return (((z * IN + c) * OUT + m) * KH + (KH - 1u - kh)) * KW + (KW - 1u - kw);
    }
    return (((z * OUT + m) * IN + c) * KH + kh) * KW + kw;
}
