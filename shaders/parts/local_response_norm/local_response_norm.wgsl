//! uses channel_window, line_squares, power_of
//! fills made
//
// x / scale^BETA for each x of a line, with scale = K + RATE * sum of x^2 over the channels from LOWER below to UPPER
// above its own, as far as there are any. Keeps scale for the gradient.
@group(0) @binding(2) var<storage, read_write> scales: array<Element>;

const K: f32 = 1.0; // shape

fn made(i: u32) -> Element {
    let scale = Element(K) + RATE * channels_sum(i, LOWER, UPPER);
    scales[i] = scale;
    return line[i] * power_of(scale, -BETA);
}
