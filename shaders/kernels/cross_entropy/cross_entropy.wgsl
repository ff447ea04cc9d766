//! uses mean_loss, row_loss
//
// loss = mean of the losses of the rows that count (row_loss).
//
// One workgroup, one dispatch: for few logits. Rows are added in order by each invocation, then the 256
// sums as a fixed tree (mean_loss).
@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    let share = share_of_loss(lane);
    write_mean(share.x, share.y, lane);
}
