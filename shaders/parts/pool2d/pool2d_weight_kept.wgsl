//! uses pool2d_sliding
//! fills divisor
//
// What a weighted mean is divided by, as pool2d_weight_parts has it for each window of a plane.
@group(0) @binding(2) var<storage, read> divisors: array<f32>;

fn divisor(window: Window) -> f32 {
    let oy = (window.top + PADDING_H) / STRIDE_H;
    let ox = (window.left + PADDING_W) / STRIDE_W;
    return divisors[oy * OUT_W + ox];
}
