//! uses group, team
//
// y[k] = exp(x[k] - m) / sum, or with LOG y[k] = x[k] - m - log(sum), over the terms k of each row,
// with m the row's maximum and sum = sum_k exp(x[k] - m). The maximum may lose NaN, the exponentials keep it.
//
// Layout [outer, AXIS, INNER]; a row is one outer and one inner index. A team of TEAM invocations
// makes a row, each every TEAM-th term in order; sums are then added as a fixed tree (team).
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

const ROWS: u32 = 64u; // shape
const AXIS: u32 = 10u; // shape
const INNER: u32 = 1u; // shape
const LOG: bool = false; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    // Teams past the end go along, for the barriers' sake.
    let clamped = min(row, ROWS - 1u);
    let base = clamped / INNER * (AXIS * INNER) + clamped % INNER;
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
    let log_sum = log(sum);
    for (var k = lane % TEAM; k < AXIS; k += TEAM) {
        let i = base + k * INNER;
        if (LOG) {
            y[i] = (x[i] - m) - log_sum;
        } else {
            y[i] = exp(x[i] - m) / sum;
        }
    }
}
