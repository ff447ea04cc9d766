// result[row] = the first k along the axis whose x[k] is the largest, or with SMALLEST the smallest, of its
// row. NaN is both.
//
// Layout [outer, AXIS, INNER]; a row is one outer and one inner index. A team of TEAM invocations makes a
// row, each looking at every TEAM-th term in order; the finds are then compared as a fixed tree.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<i32>;

const ROWS: u32 = 64u; // shape
const AXIS: u32 = 10u; // shape
const INNER: u32 = 1u; // shape
const SMALLEST: bool = false; // shape

var<workgroup> team_indices: array<u32, 64>;

// Whether a comes before b wherever in the row they are.
fn beyond(a: f32, b: f32) -> bool {
    let further = select(a > b, a < b, SMALLEST);
    return further || (is_nan(a) && !is_nan(b));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    let member = lane % TEAM;
    // Teams past the end go along, for the barriers' sake.
    let clamped = min(row, ROWS - 1u);
    let base = clamped / INNER * (AXIS * INNER) + clamped % INNER;
    // An invocation without a term of its own looks at the last one, as another does.
    var best = min(member, AXIS - 1u);
    var found = x[base + best * INNER];
    for (var k = member + TEAM; k < AXIS; k += TEAM) {
        let value = x[base + k * INNER];
        if (beyond(value, found)) {
            found = value;
            best = k;
        }
    }
    if (TEAM > 1u) {
        team_values[lane] = found;
        team_indices[lane] = best;
        for (var width = TEAM / 2u; width > 0u; width /= 2u) {
            workgroupBarrier();
            if (member < width) {
                let other = team_values[lane + width];
                let index = team_indices[lane + width];
                let equal = !beyond(found, other) && !beyond(other, found);
                if (beyond(other, found) || (equal && index < best)) {
                    found = other;
                    best = index;
                    team_values[lane] = found;
                    team_indices[lane] = best;
                }
            }
        }
    }
    if (member == 0u && row < ROWS) {
        result[row] = i32(best);
    }
}
