//! fills term
//
// A reduction of the elements less the first that goes into the same output: near a large mean the
// differences have digits that the elements' sum has not.
fn term(value: Pack, at: u32, origin: Pack, output: u32) -> Pack {
    return value - origin;
}
