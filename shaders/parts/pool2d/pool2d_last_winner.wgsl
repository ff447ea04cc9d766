//! uses pool2d_winner
//! fills last_winner
//
// Max unpooling where windows overlap: an element takes the value of the last window in which it won.

// The number of that window of the plane that starts with window `plane`, or -1 where the element in row
// y and column x won in none.
fn last_winner(plane: i32, y: i32, x: i32) -> i32 {
    var last = -1;
    for (var a = 0; a < COVERS_H; a++) {
        let down = cover_row(y, a);
        for (var b = 0; b < COVERS_W; b++) {
            let right = cover_column(x, b);
            let o = plane + down.window * OUT_W + right.window;
            let won = down.hits && right.hits && winner(u32(o)) == down.tap * KERNEL_W + right.tap;
            last = select(last, o, won && last < 0);
        }
    }
    return last;
}
