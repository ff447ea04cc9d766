//! fills element_at
//
// Lines of the squares of a tensor (N, LENGTH, PLANE) along its middle dimension.
@group(0) @binding(15) var<storage, read> line: array<Element>;

fn element_at(n: u32, k: u32, inner: u32) -> Element {
    let x = line[(n * LENGTH + k) * PLANE + inner];
    return x * x;
}
