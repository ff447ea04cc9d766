//! uses element, lines
//! fills element_at
//
// One line for each of the PLANE columns of a matrix, with its rows in the order of embedding_sort.
@group(0) @binding(14) var<storage, read> dy: array<Element>;
@group(0) @binding(15) var<storage, read> order: array<vec2<u32>>;

fn element_at(n: u32, k: u32, inner: u32) -> Element {
    return dy[order[k].y * PLANE + inner];
}
