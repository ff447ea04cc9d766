//! uses group, is_nan, log1p, axis_rows, label, label_rows
//! holes class_weight of label_rows
//! hole score_line(row: u32) -> vec4<f32> { return vec4(0.0); }
//!     by score_line
//! hole all_weights() -> f32 { return f32(CLASSES); }
//!     by all_weights
//
// losses[r] and row_weights[r] as cross_entropy_rows makes them, from what was reduced of rows that are too long
// for a team (cross_entropy_lines). One invocation makes one row.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(3) var<storage, read_write> row_weights: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * 64u + lane;
    if (row >= ROWS) {
        return;
    }
    let line = score_line(row);
    // Of logarithms of probabilities none is taken.
    let log_sum = select(line.x + log1p(line.y + (line.z - 1.0)), 0.0, LOGARITHMS);
    var spread = 0.0;
    if (SMOOTHING > 0.0) {
        let more = log_sum - line.x;
        spread = (more * all_weights() + line.w) * (SMOOTHING / f32(CLASSES));
    }
    let label = labels[row];
    var loss = 0.0;
    var weight = 0.0;
    if (counts(label)) {
        weight = class_weight(u32(label));
        let x = logits[row_base(row) + u32(label) * INNER];
        var own = -x;
        if (!LOGARITHMS) {
            own = unless_infinite(line.x, log1p(line.y + (line.z - 1.0)) + (line.x - x));
        }
        loss = (1.0 - SMOOTHING) * weight * own + spread;
    }
    losses[row] = loss;
    row_weights[row] = weight;
}
