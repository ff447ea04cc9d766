//! uses mean_loss, row_loss
//
// cross_entropy, and its gradient as cross_entropy_grad defines it, by the one workgroup.
@group(0) @binding(4) var<storage, read> dloss: array<f32>;
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;

fn write_row(n: u32, upstream: f32) {
    let base = n * CLASSES;
    let label = labels[n];
    var m = logits[base];
    for (var c = 1u; c < CLASSES; c++) {
        m = max(m, logits[base + c]);
    }
    var hot = 0.0;
    var others = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
        let e = exp(logits[base + c] - m);
        if (i32(c) == label) {
            hot = e;
        } else {
            others += e;
        }
    }
    let scale = select(0.0, upstream, counts(label)) / (others + hot);
    for (var c = 0u; c < CLASSES; c++) {
        // softmax - 1 at the label is minus the sum of all others, so that a small gradient keeps its
        // digits.
        dlogits[base + c] = select(exp(logits[base + c] - m), -others, i32(c) == label) * scale;
    }
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    let share = share_of_loss(lane);
    write_mean(share.x, share.y, lane);
    workgroupBarrier();
    let upstream = dloss[0] / max(counted[0], 1.0);
    for (var n = lane; n < ROWS; n += 256u) {
        write_row(n, upstream);
    }
}
