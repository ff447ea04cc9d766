// parts/cross_entropy/mean_loss.wgsl
// The end of a loss that one workgroup of 256 sums up: adds the invocations' sums and weights as
// fixed trees and writes the mean, which is 0 where nothing weighs anything, or without MEAN the sum.
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> count: array<f32>;

const MEAN: bool = true; // shape

var<workgroup> sums: array<f32, 256>;
var<workgroup> counted: array<f32, 256>;

fn write_mean(own_sum: f32, own_count: f32, lane: u32) {
    sums[lane] = own_sum;
    counted[lane] = own_count;
    for (var width = 128u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane < width) {
            sums[lane] += sums[lane + width];
            counted[lane] += counted[lane + width];
        }
    }
    if (lane == 0u) {
        // Where nothing weighs anything the sum is 0 too.
        loss[0] = sums[0] / select(1.0, counted[0], MEAN && counted[0] != 0.0);
        count[0] = counted[0];
    }
}
// parts/common/is_nan.wgsl
// NaN and infinities, told by their bits: compilers may take it that no number is one.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn are_nan(x: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(x) & vec4(0x7fffffffu)) > vec4(0x7f800000u);
}

// What a maximum starts from, which no constant expression can be.
fn minus_infinity() -> f32 {
    var bits = 0xff800000u;
    return bitcast<f32>(bits);
}

// `x`, or NaN unless `bound` is finite.
fn unless_infinite(bound: f32, x: f32) -> f32 {
    var nan = 0x7fc00000u;
    return select(x, bitcast<f32>(nan), (bitcast<u32>(bound) & 0x7f800000u) == 0x7f800000u);
}
// parts/common/log1p.wgsl
// log(1 + r) for r >= 0, to full precision where r is small and 1 + r would round it away: there
// 2 atanh(r / (2 + r)) by its power series.
fn log1p(r: f32) -> f32 {
    if (r > 0.5) {
        return log(1.0 + r);
    }
    let s = r / (2.0 + r);
    let q = s * s;
    return 2.0 * s * (1.0 + q * (0.333333333 + q * (0.2 + q * (0.142857143 + q * 0.111111111))));
}
// parts/cross_entropy/label.wgsl
// Which labels take part in a loss: those of a class that are not the ignored one. What is no
// class at all never becomes an index.
const CLASSES: u32 = 10u;
const IGNORED: i32 = i32(-100);

fn counts(label: i32) -> bool {
    return label != IGNORED && label >= 0 && label < i32(CLASSES);
}
// parts/cross_entropy/row_loss.wgsl
//! uses is_nan, log1p, label
//
// The loss of one row: log(1 + rest) + m - x[n, label[n]], with m the row's first maximum and rest = sum
// over the other classes c of exp(x[n, c] - m). Both parts are positive, so that a loss near zero keeps
// its digits. A row whose maximum is not finite makes NaN. logits [n, c] are row-major; a row's terms are added in order.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;

const ROWS: u32 = 64u;

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
// kernels/cross_entropy/cross_entropy_with_grad.wgsl
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
