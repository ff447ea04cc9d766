//! fills term
//
// A reduction of the elements times those of another tensor.
@group(0) @binding(2) var<storage, read> factors: array<Pack>;

fn term(value: Pack, at: u32, origin: Pack, output: u32) -> Pack {
    return value * factors[at];
}
