//! uses element
//! fills term
//
// A reduction of the elements' exponentials relative to a number of the output's, without those that equal it.
@group(0) @binding(2) var<storage, read> number: array<Element>;

fn term(value: Pack, at: u32, origin: Pack, output: u32) -> Pack {
    let origin_of_powers = Pack(number[output]);
    return select(exp(value - origin_of_powers), Pack(), value == origin_of_powers);
}
