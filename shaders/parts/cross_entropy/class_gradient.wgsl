//! uses label, label_rows
//
// The gradient of the logits of one row by its loss:
//   upstream * ((1 - SMOOTHING) * w[label] * (p[c] - (1 if c is the label))
//               + SMOOTHING / CLASSES * (p[c] * sum of all w - w[c]))
// with p = softmax of the logits and upstream = dloss, with MEAN that over count, with EACH row r's own. With
// LOGARITHMS nothing but the label's and w[c]'s terms is there.
@group(0) @binding(2) var<storage, read> count: array<f32>;
@group(0) @binding(3) var<storage, read> dloss: array<f32>;

const MEAN: bool = true; // shape
const EACH: bool = false; // shape

fn upstream_of(row: u32) -> f32 {
    var upstream = dloss[select(0u, row, EACH)];
    if (MEAN) {
        // Where no row weighs anything, none has a gradient either.
        upstream /= select(count[0], 1.0, count[0] == 0.0);
    }
    return upstream;
}

// Class c's, where `own` is what the label's weight makes of upstream. At the label p - 1 is taken as minus the share
// of all others, so that a small gradient keeps its digits.
fn class_gradient(c: u32, is_label: bool, own: f32, upstream: f32, p: f32, others: f32, sum_of_weights: f32) -> f32 {
    let share = SMOOTHING / f32(CLASSES) * upstream;
    var gradient = 0.0;
    if (LOGARITHMS) {
        gradient = select(0.0, -own, is_label);
    } else {
        gradient = own * select(p, -others, is_label);
        if (SMOOTHING > 0.0) {
            gradient += share * p * sum_of_weights;
        }
    }
    if (SMOOTHING > 0.0) {
        gradient -= share * class_weight(c);
    }
    return gradient;
}
