// loss = sum of losses / how many labels count.
//
// One workgroup. An invocation adds every 256th row in order, then the 256 sums are added as a
// fixed tree (shared/mean_loss).
@group(0) @binding(0) var<storage, read> losses: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;

const ROWS: u32 = 128u; // shape

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    var rows = 0.0;
    for (var n = lane; n < ROWS; n += 256u) {
        if (counts(labels[n])) {
            sum += losses[n];
            rows += 1.0;
        }
    }
    write_mean(sum, rows, lane);
}
