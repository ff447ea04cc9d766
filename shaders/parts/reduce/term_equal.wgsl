//! uses element
//! fills term
//
// A reduction of one for each element that equals a number of the output's, and zero for others.
@group(0) @binding(2) var<storage, read> number: array<Element>;

fn term(value: Pack, at: u32, origin: Pack, output: u32) -> Pack {
    return select(Pack(), Pack(1.0), value == Pack(number[output]));
}
