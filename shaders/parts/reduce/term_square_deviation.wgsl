//! uses element
//! fills term
//
// A reduction of squared deviations from a mean that is given relative to the first element of the same
// output.
@group(0) @binding(2) var<storage, read> mean: array<Element>;

fn term(value: Pack, at: u32, origin: Pack, output: u32) -> Pack {
    let deviation = (value - origin) - Pack(mean[output]);
    return deviation * deviation;
}
