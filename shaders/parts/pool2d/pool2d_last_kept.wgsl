//! fills last_winner
//
// The last window in which an element won, as max_unpool2d_last found it; see pool2d_last_winner.
@group(0) @binding(3) var<storage, read> last: array<u32>;

fn last_winner(plane: i32, y: i32, x: i32) -> i32 {
    return i32(last[place(plane / (OUT_H * OUT_W) * (IN_H * IN_W), y, x)]) - 1;
}
