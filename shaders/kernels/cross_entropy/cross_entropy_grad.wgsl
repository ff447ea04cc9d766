//! uses group, team, label_rows
//! holes class_weight of label_rows
//
// dlogits[r, c] = upstream * ((1 - SMOOTHING) * w[label] * (softmax(x[r])[c] - (1 if c is the label))
//                             + SMOOTHING / CLASSES * (softmax(x[r])[c] * sum of all w - w[c]))
// with upstream = dloss, with MEAN that over count, with EACH row r's own; 0 in rows whose label does not
// count. With LOGARITHMS nothing but the label's and w[c]'s terms is there. At the label softmax - 1 is taken
// as minus the sum of all others, so that a small gradient keeps its digits. label_rows says where rows lie.
//
// A team of TEAM invocations makes one row, each every TEAM-th class; the row's sum is added in
// order by each, then as a fixed tree (team).
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(2) var<storage, read> count: array<f32>;
@group(0) @binding(3) var<storage, read> dloss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;

const MEAN: bool = true; // shape
const EACH: bool = false; // shape

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
    var upstream = dloss[select(0u, n, EACH)];
    if (MEAN) {
        // Where no row weighs anything, none has a gradient either.
        upstream /= select(count[0], 1.0, count[0] == 0.0);
    }
    var own = 0.0;
    if (counts(label)) {
        own = (1.0 - SMOOTHING) * class_weight(u32(label)) * upstream;
    } else {
        upstream = 0.0;
    }
    let share = SMOOTHING / f32(CLASSES) * upstream;
    for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
        let is_label = i32(c) == label;
        var gradient = 0.0;
        if (LOGARITHMS) {
            gradient = select(0.0, -own, is_label);
        } else {
            let p = exp(logits[base + c * INNER] - m) / (others + hot);
            gradient = own * select(p, -others / (others + hot), is_label);
            if (SMOOTHING > 0.0) {
                gradient += share * p * all_weights;
            }
        }
        if (SMOOTHING > 0.0) {
            gradient -= share * class_weight(c);
        }
        dlogits[base + c * INNER] = gradient;
    }
}
