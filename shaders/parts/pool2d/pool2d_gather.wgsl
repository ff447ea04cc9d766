//! uses element, pool2d_shape
//! fills made
//! hole share(gradient: f32, i: u32, o: u32, down: Cover, right: Cover) -> f32
//!     by pool2d_average, pool2d_weighted, pool2d_lp_share, pool2d_winner_share
//
// dx[n,c,y,x] = sum of share(gradient[n,c,oy,ox], ...) over the windows (oy,ox) that cover (y,x).
//
// Layouts NCHW. The windows that can cover an input element are visited, the last first. The file of each kind of
// pooling says what a window gives to one of its taps.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;

fn made(i: u32) -> Element {
    let row = i / u32(IN_W);
    let x = i32(i - row * u32(IN_W));
    let image = row / u32(IN_H);
    let y = i32(row - image * u32(IN_H));
    let plane = i32(image) * (OUT_H * OUT_W);
    var sum = 0.0;
    for (var a = 0; a < COVERS_H; a++) {
        let down = cover_row(y, a);
        for (var b = 0; b < COVERS_W; b++) {
            let right = cover_column(x, b);
            let o = u32(plane + down.window * OUT_W + right.window);
            sum += select(0.0, share(gradient[o], i, o, down, right), down.hits && right.hits);
        }
    }
    return sum;
}
