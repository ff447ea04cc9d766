//! uses element, upsample2d_shape, upsample2d_at_nearest
//! fills made
//
// y[n,c,oy,ox] = source[n, c, index(oy), index(ox)], layouts NCHW.
@group(0) @binding(0) var<storage, read> source: array<f32>;

fn made(o: u32) -> Element {
    let plane = i32(o) / (OUT_H * OUT_W) * (IN_H * IN_W);
    let y = index(i32(o) / OUT_W % OUT_H, SCALE_H, IN_H);
    let x = index(i32(o) % OUT_W, SCALE_W, IN_W);
    return source[plane + y * IN_W + x];
}
