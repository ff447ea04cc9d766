//! uses pool2d_shape
//! hole share(gradient: f32, i: u32, o: u32, down: Cover, right: Cover) -> f32
//!     by pool2d_average, pool2d_weighted, pool2d_lp_share, pool2d_winner_share
//
// What windows give to an input element. Layouts NCHW. The file of each kind of pooling says what a window gives to one
// of its taps.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;

// Row and column of an element, and where the windows of its plane begin.
struct Place {
    y: i32,
    x: i32,
    windows: i32,
}

fn place_of(i: u32) -> Place {
    let row = i / u32(IN_W);
    let image = row / u32(IN_H);
    return Place(i32(row - image * u32(IN_H)), i32(i - row * u32(IN_W)), i32(image) * (OUT_H * OUT_W));
}

fn share_of(i: u32, windows: i32, down: Cover, right: Cover) -> f32 {
    let o = u32(windows + down.window * OUT_W + right.window);
    return select(0.0, share(gradient[o], i, o, down, right), down.hits && right.hits);
}
