//! uses element
//! fills made
//
// The elements of another tensor.
@group(0) @binding(0) var<storage, read> source: array<Element>;

fn made(i: u32) -> Element {
    return source[i];
}
