//! uses is_nan, log1p, label
//
// The loss of one row: log(1 + rest) + m - x[n, label[n]], with m the row's first maximum and rest = sum
// over the other classes c of exp(x[n, c] - m). Both parts are positive, so that a loss near zero keeps
// its digits. A row whose maximum is not finite makes NaN. logits [n, c] are row-major; a row's terms are added in order.
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
    let loss = log1p(rest) + (m - logits[base + label]);
    return unless_infinite(m, loss);
}

// The calling invocation's share of all rows, every 256th: the sum of the losses that count, and how many.
fn share_of_loss(lane: u32) -> vec2<f32> {
    var share = vec2(0.0);
    for (var n = lane; n < ROWS; n += 256u) {
        let label = labels[n];
        if (counts(label)) {
            share += vec2(row_loss(n, u32(label)), 1.0);
        }
    }
    return share;
}
