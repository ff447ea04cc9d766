// loss = mean over rows n that count of log(1 + rest) + m - x[n, label[n]], with m the row's first
// maximum and rest = sum over the other classes c of exp(x[n, c] - m): both parts are positive, so
// that a loss near zero keeps its digits. logits [n, c] are row-major.
//
// One workgroup, one dispatch: for few logits. An invocation takes every 256th row, a row's terms
// in order; rows are added in order, then the 256 sums as a fixed tree (shared/mean_loss).
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;

const ROWS: u32 = 128u; // shape

fn row_loss(n: u32, label: u32) -> f32 {
    let base = n * CLASSES;
    var m = logits[base];
    var first = 0u;
    for (var c = 1u; c < CLASSES; c++) {
        let x = logits[base + c];
        if (x > m) {
            m = x;
            first = c;
        }
    }
    var rest = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
        if (c != first) {
            rest += exp(logits[base + c] - m);
        }
    }
    return log1p(rest) + (m - logits[base + label]);
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
