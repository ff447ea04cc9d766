// dlogits[n, c] = softmax(x[n])[c] * dloss / count, at the label less dloss / count; 0 in rows whose
// label does not count. At the label softmax - 1 is taken as minus the sum of all others, so that a
// small gradient keeps its digits. logits [n, c] are row-major.
//
// A team of TEAM invocations makes one row, each every TEAM-th class; the row's sum is added in
// order by each, then as a fixed tree (shared/team).
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(2) var<storage, read> count: array<f32>;
@group(0) @binding(3) var<storage, read> dloss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;

const ROWS: u32 = 128u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    // Teams past the end go along, for the barriers' sake.
    let n = min(row, ROWS - 1u);
    let base = n * CLASSES;
    let label = labels[n];
    var m = -3.4e38;
    for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
        m = max(m, logits[base + c]);
    }
    m = team_max(m, lane);
    var hot = 0.0;
    var others = 0.0;
    for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
        let e = exp(logits[base + c] - m);
        if (i32(c) == label) {
            hot = e;
        } else {
            others += e;
        }
    }
    others = team_sum(others, lane);
    hot = team_sum(hot, lane);
    if (row >= ROWS) {
        return;
    }
    let scale = select(0.0, dloss[0] / max(count[0], 1.0), counts(label)) / (others + hot);
    for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
        if (i32(c) == label) {
            dlogits[base + c] = -others * scale;
        } else {
            dlogits[base + c] = exp(logits[base + c] - m) * scale;
        }
    }
}
