//! uses element, upsample2d_shape, upsample2d_first
//! fills made
//
// dx[n,c,y,x] = sum of weight(oy, y) weight(ox, x) gradient[n,c,oy,ox] over the outputs that (y,x) is in.
//
// Layouts NCHW. Along each dimension an element's outputs are neighbours. They are added row by row.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;

fn made(i: u32) -> Element {
    let y = i32(i) / IN_W % IN_H;
    let x = i32(i) % IN_W;
    let plane = i32(i) / (IN_H * IN_W) * (OUT_H * OUT_W);
    let end_y = first(y + 1, SCALE_H, IN_H, OUT_H);
    let start_x = first(x - reach(SCALE_W), SCALE_W, IN_W, OUT_W);
    let end_x = first(x + 1, SCALE_W, IN_W, OUT_W);
    var sum = 0.0;
    for (var oy = first(y - reach(SCALE_H), SCALE_H, IN_H, OUT_H); oy < end_y; oy++) {
        var row = 0.0;
        for (var ox = start_x; ox < end_x; ox++) {
            row += weight(ox, x, SCALE_W, IN_W) * gradient[plane + oy * OUT_W + ox];
        }
        sum += weight(oy, y, SCALE_H, IN_H) * row;
    }
    return sum;
}
