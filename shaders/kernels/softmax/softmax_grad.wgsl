//! uses group, team, axis_rows, softmax_element
//
// dx[k] = y[k] * (dy[k] - sum_j dy[j] y[j]), or with LOG dx[k] = dy[k] - exp(y[k]) * sum_j dy[j],
// over the terms of each row, from the output y.
//
// A team of TEAM invocations makes a row (axis_rows), each every TEAM-th term in order; sums are then added
// as a fixed tree (team).
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

const ROWS: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    // Teams past the end go along, for the barriers' sake.
    let base = row_base(min(row, ROWS - 1u));
    var sum = 0.0;
    for (var k = lane % TEAM; k < AXIS; k += TEAM) {
        let i = base + k * INNER;
        sum += softmax_grad_term(y[i], dy[i]);
    }
    sum = team_sum(sum, lane);
    if (row >= ROWS) {
        return;
    }
    for (var k = lane % TEAM; k < AXIS; k += TEAM) {
        let i = base + k * INNER;
        dx[i] = softmax_grad_of(y[i], dy[i], sum);
    }
}
