//! uses element, pool2d_shape, pool2d_share
//! fills made
//
// dx[n,c,y,x] = sum of share(gradient[n,c,oy,ox], ...) over the windows (oy,ox) that cover (y,x).
//
// Layouts NCHW. The windows that can cover an input element are visited, the last first. The file of each kind of
// pooling says what a window gives to one of its taps.

fn made(i: u32) -> Element {
    let own = place_of(i);
    var sum = 0.0;
    for (var a = 0; a < COVERS_H; a++) {
        let down = cover_row(own.y, a);
        for (var b = 0; b < COVERS_W; b++) {
            let right = cover_column(own.x, b);
            sum += share_of(i, own.windows, down, right);
        }
    }
    return sum;
}
