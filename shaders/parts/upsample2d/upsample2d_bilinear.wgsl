//! uses element, upsample2d_shape, upsample2d_at_bilinear
//! fills made
//
// y[n,c,oy,ox] = the mean of the four elements around its position, each by how near it is: first along rows,
// then between them. Layouts NCHW.
@group(0) @binding(0) var<storage, read> source: array<f32>;

fn made(o: u32) -> Element {
    let oy = i32(o) / OUT_W % OUT_H;
    let ox = i32(o) % OUT_W;
    let y = index(oy, SCALE_H, IN_H);
    let x = index(ox, SCALE_W, IN_W);
    let down = behind(oy, SCALE_H, IN_H);
    let right = behind(ox, SCALE_W, IN_W);
    let upper = i32(o) / (OUT_H * OUT_W) * (IN_H * IN_W) + y * IN_W;
    let lower = upper + (next(y, SCALE_H, IN_H) - y) * IN_W;
    let behind_x = next(x, SCALE_W, IN_W);
    let above = between(source[upper + x], source[upper + behind_x], right, SCALE_W);
    let below = between(source[lower + x], source[lower + behind_x], right, SCALE_W);
    return between(above, below, down, SCALE_H);
}
