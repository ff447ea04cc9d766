//! uses element, line
//! hole window_sum(i: u32, below: u32, above: u32) -> Element
//!     by window_loop, window_blocks
//
// Windows over neighbouring channels, and what an element is divided by. Lines run along the channels.
const LOWER: u32 = 1u; // shape
const UPPER: u32 = 1u; // shape
const RATE: f32 = 1e-4; // shape
const BETA: f32 = 0.75; // shape

// The sum over the channels from `lower` below to `upper` above that of element i, as far as there are any.
fn channels_sum(i: u32, lower: u32, upper: u32) -> Element {
    let c = i / PLANE % LENGTH;
    return window_sum(i, min(c, lower), min(LENGTH - 1u - c, upper));
}
