//! uses element, is_nan, axis_rows, label, class_gradient
//! fills made
//! hole score_line(row: u32) -> vec4<f32> { return vec4(0.0); }
//!     by score_line
//! hole all_weights() -> f32 { return f32(CLASSES); }
//!     by all_weights
//
// dlogits as cross_entropy_grad defines it, from what was reduced of rows that are too long for a team
// (cross_entropy_lines).
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;

fn made(i: u32) -> Element {
    let row = row_of(i);
    let c = i / INNER % CLASSES;
    let label = labels[row];
    if (!counts(label)) {
        // Zero times probabilities, which may be none.
        return select(unless_infinite(score_line(row).x, 0.0), 0.0, LOGARITHMS);
    }
    let upstream = upstream_of(row);
    let own = (1.0 - SMOOTHING) * class_weight(u32(label)) * upstream;
    var p = 0.0;
    var share_of_others = 0.0;
    if (!LOGARITHMS) {
        let line = score_line(row);
        let x = logits[row_base(row) + u32(label) * INNER];
        let hot = exp(x - line.x);
        // The label's own is left out, be it one of the maximal ones or one of those below.
        let others = select((line.y - hot) + line.z, line.y + (line.z - 1.0), x == line.x);
        let sum = unless_infinite(line.x, others + hot);
        p = exp(logits[i] - line.x) / sum;
        share_of_others = others / sum;
    }
    return class_gradient(c, i32(c) == label, own, upstream, p, share_of_others, all_weights());
}
