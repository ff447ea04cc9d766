//! uses element
//! fills term
//
// A reduction of the elements' exponentials relative to a number of the output's.
@group(0) @binding(2) var<storage, read> number: array<Element>;

fn term(value: Pack, at: u32, origin: Pack, output: u32) -> Pack {
    return exp(value - Pack(number[output]));
}
