//! uses element, lines
//! fills element_at
//! hole line_at(at: u32) -> Element
//!     by line_plain, line_squares
//
// Elements of the lines of a tensor.
@group(0) @binding(15) var<storage, read> line: array<Element>;

fn element_at(n: u32, k: u32, inner: u32) -> Element {
    return line_at((n * LENGTH + k) * PLANE + inner);
}
