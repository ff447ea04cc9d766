//! uses pool2d_winner
//! fills share
//
// An output's gradient goes to the tap of its window that won.
fn share(gradient: f32, i: u32, o: u32, down: Cover, right: Cover) -> f32 {
    return select(0.0, gradient, winner(o) == down.tap * KERNEL_W + right.tap);
}
