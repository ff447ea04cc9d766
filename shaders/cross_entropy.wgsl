// loss = mean over rows n that count of log(sum_c exp(x[n, c] - m)) + m - x[n, label[n]],
// with m the row's maximum. logits [n, c] are row-major.
//
// One workgroup, one dispatch: for few logits. An invocation takes every 256th row, a row's terms
// in order; rows are added in order, then the 256 sums as a fixed tree (shared/mean_loss).
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;

const ROWS: u32 = 128u; // shape

fn row_loss(n: u32, label: u32) -> f32 {
    let base = n * CLASSES;
    var m = logits[base];
    for (var c = 1u; c < CLASSES; c++) {
        m = max(m, logits[base + c]);
    }
    var sum = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
        sum += exp(logits[base + c] - m);
    }
    return log(sum) + (m - logits[base + label]);
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    var rows = 0.0;
    for (var n = lane; n < ROWS; n += 256u) {
        let label = labels[n];
        if (counts(label)) {
            sum += row_loss(n, u32(label));
            rows += 1.0;
        }
    }
    write_mean(sum, rows, lane);
}
