//! uses group, is_nan, team, log1p, axis_rows, label, label_rows
//! holes class_weight of label_rows
//
// losses[r] = sum over the classes of target * weight * -log(softmax(x[r])), 0 where the label does not
// count, and row_weights[r] = the label's weight. -log(softmax)[c] is log(1 + rest) + (m - x[c]), with m the
// row's maximum and rest = sum over all classes but one maximal c of exp(x[c] - m): both parts are positive,
// so that a loss near zero keeps its digits. axis_rows says where rows lie.
//
// A team of TEAM invocations makes one row: each adds every TEAM-th term in order, then the sums
// are added as a fixed tree (team).
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(3) var<storage, read_write> row_weights: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    // Teams past the end go along, for the barriers' sake.
    let n = min(row, ROWS - 1u);
    let base = row_base(n);
    var m = 0.0;
    var rest = 0.0;
    if (!LOGARITHMS) {
        m = minus_infinity();
        for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
            m = max(m, logits[base + c * INNER]);
        }
        m = team_max(m, lane);
        // Terms below the maximum, and how many reach it: their difference must not round away.
        var below = 0.0;
        var maximal = 0.0;
        for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
            let x = logits[base + c * INNER];
            // NaN equals nothing, and its exponential is NaN.
            if (x == m) {
                maximal += 1.0;
            } else {
                below += exp(x - m);
            }
        }
        below = team_sum(below, lane);
        maximal = team_sum(maximal, lane);
        rest = unless_infinite(m, below + (maximal - 1.0));
    }
    let log_rest = log1p(rest);
    var spread = 0.0;
    if (SMOOTHING > 0.0) {
        for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
            spread += class_weight(c) * (log_rest + (m - logits[base + c * INNER]));
        }
        spread = team_sum(spread, lane) * (SMOOTHING / f32(CLASSES));
    }
    if (lane % TEAM == 0u && row < ROWS) {
        let label = labels[n];
        var loss = 0.0;
        var weight = 0.0;
        if (counts(label)) {
            weight = class_weight(u32(label));
            loss = (1.0 - SMOOTHING) * weight * (log_rest + (m - logits[base + u32(label) * INNER])) + spread;
        }
        losses[n] = loss;
        row_weights[n] = weight;
    }
}
