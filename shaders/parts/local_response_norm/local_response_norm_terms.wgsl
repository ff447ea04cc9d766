//! uses element, power_of
//! fills made
//
// gradient * source / scale^(BETA + 1): what local_response_norm_grad sums over windows.
@group(0) @binding(0) var<storage, read> source: array<Element>;
@group(0) @binding(1) var<storage, read> gradient: array<Element>;
@group(0) @binding(2) var<storage, read> scales: array<Element>;

const BETA: f32 = 0.75; // shape

fn made(i: u32) -> Element {
    return gradient[i] * source[i] * power_of(scales[i], -BETA - 1.0);
}
