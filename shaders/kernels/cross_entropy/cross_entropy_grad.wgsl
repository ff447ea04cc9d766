//! uses group, team, axis_rows, label, class_gradient
//! holes class_weight of label_rows
//
// dlogits[r, c] = the gradient of row r by its loss (class_gradient); 0 in rows whose label does not count.
//
// A team of TEAM invocations makes one row, each every TEAM-th class; the row's sum is added in
// order by each, then as a fixed tree (team).
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    // Teams past the end go along, for the barriers' sake.
    let n = min(row, ROWS - 1u);
    let base = row_base(n);
    let label = labels[n];
    var m = 0.0;
    var hot = 0.0;
    var others = 0.0;
    if (!LOGARITHMS) {
        m = -3.4e38;
        for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
            m = max(m, logits[base + c * INNER]);
        }
        m = team_max(m, lane);
        for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
            let e = exp(logits[base + c * INNER] - m);
            if (i32(c) == label) {
                hot = e;
            } else {
                others += e;
            }
        }
        others = team_sum(others, lane);
        hot = team_sum(hot, lane);
    }
    var all_weights = 0.0;
    if (SMOOTHING > 0.0) {
        for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
            all_weights += class_weight(c);
        }
        all_weights = team_sum(all_weights, lane);
    }
    if (row >= ROWS) {
        return;
    }
    var upstream = upstream_of(n);
    var own = 0.0;
    if (counts(label)) {
        own = (1.0 - SMOOTHING) * class_weight(u32(label)) * upstream;
    } else {
        upstream = 0.0;
    }
    for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
        let i = base + c * INNER;
        var p = 0.0;
        if (!LOGARITHMS) {
            p = exp(logits[i] - m) / (others + hot);
        }
        dlogits[i] = class_gradient(c, i32(c) == label, own, upstream, p, others / (others + hot), all_weights);
    }
}
