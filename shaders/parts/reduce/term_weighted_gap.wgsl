//! uses element
//! fills term
//
// A reduction of how far the elements are below a number of the output's, each times the weight of its class.
@group(0) @binding(2) var<storage, read> number: array<Element>;
@group(0) @binding(3) var<storage, read> class_weights: array<f32>;

const WEIGHTS: u32 = 10u; // shape
const INNER: u32 = 1u; // shape

fn term(value: Pack, at: u32, origin: Pack, output: u32) -> Pack {
    return class_weights[at / INNER % WEIGHTS] * (number[output] - value);
}
