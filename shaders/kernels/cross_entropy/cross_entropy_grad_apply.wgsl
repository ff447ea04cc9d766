//! uses group, is_nan, label_rows
//! holes class_weight of label_rows
//! hole score_line(row: u32) -> vec4<f32> { return vec4(0.0); }
//!     by score_line
//! hole all_weights() -> f32 { return f32(CLASSES); }
//!     by all_weights
//
// dlogits as cross_entropy_grad defines it, from what was reduced of rows that are too long for a team
// (cross_entropy_lines).
//
// One workgroup makes 64 * ITEMS neighbouring elements, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(2) var<storage, read> count: array<f32>;
@group(0) @binding(3) var<storage, read> dloss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;

const ELEMENTS: u32 = 1280u; // shape
const MEAN: bool = true; // shape
const EACH: bool = false; // shape
const ITEMS: u32 = 4u; // tunable

fn gradient(i: u32) -> f32 {
    let row = i / (CLASSES * INNER) * INNER + i % INNER;
    let class_of_i = i / INNER % CLASSES;
    let label = labels[row];
    if (!counts(label)) {
        // Zero times probabilities, which may be none.
        return select(unless_infinite(score_line(row).x, 0.0), 0.0, LOGARITHMS);
    }
    var upstream = dloss[select(0u, row, EACH)];
    if (MEAN) {
        // Where no row weighs anything, none has a gradient either.
        upstream /= select(count[0], 1.0, count[0] == 0.0);
    }
    let own = (1.0 - SMOOTHING) * class_weight(u32(label)) * upstream;
    let share = SMOOTHING / f32(CLASSES) * upstream;
    let is_label = i32(class_of_i) == label;
    var value = 0.0;
    if (LOGARITHMS) {
        value = select(0.0, -own, is_label);
    } else {
        let line = score_line(row);
        let x = logits[row_base(row) + u32(label) * INNER];
        let hot = exp(x - line.x);
        // The label's own is left out, be it one of the maximal ones or one of those below.
        let others = select((line.y - hot) + line.z, line.y + (line.z - 1.0), x == line.x);
        let sum = unless_infinite(line.x, others + hot);
        let p = exp(logits[i] - line.x) / sum;
        value = own * select(p, -others / sum, is_label);
        if (SMOOTHING > 0.0) {
            value += share * p * all_weights();
        }
    }
    if (SMOOTHING > 0.0) {
        value -= share * class_weight(class_of_i);
    }
    return value;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < ELEMENTS) {
            dlogits[i] = gradient(i);
        }
    }
}
