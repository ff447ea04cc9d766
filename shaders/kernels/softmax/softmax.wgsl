//! uses group, team, axis_rows, softmax_element
//
// y[k] = exp(x[k] - m) / sum, or with LOG y[k] = x[k] - m - log(sum), over the terms k of each row,
// with m the row's maximum and sum = sum_k exp(x[k] - m). The maximum may lose NaN, the exponentials keep it.
//
// A team of TEAM invocations makes a row (axis_rows), each every TEAM-th term in order; sums are then added
// as a fixed tree (team).
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

const ROWS: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    // Teams past the end go along, for the barriers' sake.
    let base = row_base(min(row, ROWS - 1u));
    var m = -3.4e38;
    for (var k = lane % TEAM; k < AXIS; k += TEAM) {
        m = max(m, x[base + k * INNER]);
    }
    m = team_max(m, lane);
    var sum = 0.0;
    for (var k = lane % TEAM; k < AXIS; k += TEAM) {
        sum += exp(x[base + k * INNER] - m);
    }
    sum = team_sum(sum, lane);
    if (row >= ROWS) {
        return;
    }
    for (var k = lane % TEAM; k < AXIS; k += TEAM) {
        let i = base + k * INNER;
        y[i] = softmax_of(x[i] - m, sum);
    }
}
