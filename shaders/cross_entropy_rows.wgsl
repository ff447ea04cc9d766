// losses[n] = log(1 + rest) + m - x[n, label[n]], with m the row's maximum and rest = sum over all
// classes but one maximal c of exp(x[n, c] - m); 0 where the label does not count. logits [n, c]
// are row-major.
//
// A team of TEAM invocations makes one row: each adds every TEAM-th term in order, then the sums
// are added as a fixed tree (shared/team).
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;

const ROWS: u32 = 128u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    // Teams past the end go along, for the barriers' sake.
    let n = min(row, ROWS - 1u);
    let base = n * CLASSES;
    var m = -3.4e38;
    for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
        m = max(m, logits[base + c]);
    }
    m = team_max(m, lane);
    // Terms below the maximum, and how many reach it: their difference must not round away.
    var below = 0.0;
    var maximal = 0.0;
    for (var c = lane % TEAM; c < CLASSES; c += TEAM) {
        let x = logits[base + c];
        if (x < m) {
            below += exp(x - m);
        } else {
            maximal += 1.0;
        }
    }
    below = team_sum(below, lane);
    maximal = team_sum(maximal, lane);
    if (lane % TEAM == 0u && row < ROWS) {
        let label = labels[n];
        var loss = 0.0;
        if (counts(label)) {
            loss = log1p(below + (maximal - 1.0)) + (m - logits[base + u32(label)]);
        }
        losses[n] = loss;
    }
}
