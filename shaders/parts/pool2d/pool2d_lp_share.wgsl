//! uses pool2d_lp
//! fills share
//
// What an output's gradient gives to a tap x of a p-norm y: SCALE |x/y|^(p-1), with the sign of x
// unless p is odd; nothing where y is zero, or p is below 1 and x is.
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> norms: array<f32>;

fn share(gradient: f32, i: u32, o: u32, down: Cover, right: Cover) -> f32 {
    let x = source[i];
    let y = norms[o];
    // The ratio's powers neither overflow nor vanish where those of x and y by themselves do.
    let zero = y == 0.0 && !is_nan(y);
    let ratio = abs(x / select(y, 1.0, zero));
    let slope = scale(window_of(down.window, right.window)) * power(ratio, P - 1.0, max(WHOLE, 1u) - 1u);
    // PyTorch's gradient of a sum that is NaN is zero, of its roots NaN.
    let none = zero || (WHOLE == 1u && is_nan(y));
    return select(gradient * select(slope, -slope, !ODD && x < 0.0), 0.0, none);
}
