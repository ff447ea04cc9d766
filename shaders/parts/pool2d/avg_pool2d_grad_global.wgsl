//! uses element
//! fills made
//
// avg_pool2d_grad for a window that is the whole plane: dx[p][i] = gradient[p] / COUNT. A plane is PLANE
// elements of one number or four.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;

const PLANE: u32 = 64u; // shape
const COUNT: u32 = 64u; // shape

fn made(i: u32) -> Element {
    return Element(gradient[i / PLANE] / f32(COUNT));
}
