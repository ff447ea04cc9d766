//! uses group, beyond, team_best, axis_rows
//
// result[row] = the first k along the axis whose x[k] is the largest, or with SMALLEST the smallest, of its
// row. NaN is both.
//
// A team of TEAM invocations makes a row (axis_rows), or of long rows each of PARTS parts of PART_AXIS terms,
// and argmax_merge finds the best of those. Each invocation looks at every TEAM-th term in order; the finds are
// then compared as a fixed tree (team_best).
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<i32>;

const ROWS: u32 = 64u; // shape
const PARTS: u32 = 1u; // shape
const PART_AXIS: u32 = 10u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let number = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    let member = lane % TEAM;
    // Teams past the end go along, for the barriers' sake.
    let clamped = min(number, ROWS * PARTS - 1u);
    let base = row_base(clamped / PARTS);
    let first = clamped % PARTS * PART_AXIS;
    let end = min(first + PART_AXIS, AXIS);
    // An invocation without a term of its own looks at the last one, as another does.
    var best = min(first + member, end - 1u);
    var found = x[base + best * INNER];
    for (var k = first + member + TEAM; k < end; k += TEAM) {
        let value = x[base + k * INNER];
        if (beyond(value, found)) {
            found = value;
            best = k;
        }
    }
    best = team_best(found, best, lane);
    if (member == 0u && number < ROWS * PARTS) {
        result[number] = i32(best);
    }
}
