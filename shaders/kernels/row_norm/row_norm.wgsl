//! uses group, pack, team
//! holes Pack of pack
//! hole epilogue(at: u32, value: Pack) -> Pack
//!     by the plan
//
// result = (source - mean) / sqrt(variance + EPSILON) over each row, by the row's own mean and biased
// variance; statistics[row] = (shift, mean - shift, inverse, inverse), with inverse = 1 / sqrt(variance +
// EPSILON) and shift the row's first element: a mean far from zero costs no digits.
//
// Source and result [row][PACKS]. A team of TEAM invocations makes a row, each every TEAMth pack in order;
// sums are then added as a fixed tree (team).
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read_write> result: array<Pack>;
@group(0) @binding(2) var<storage, read_write> statistics: array<vec4<f32>>;

const ROWS: u32 = 64u; // shape
const PACKS: u32 = 32u; // shape
const EPSILON: f32 = 1e-5; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    // Terms are taken by their share, so that no sum overflows before a term does.
    const SHARE = 1.0 / (f32(PACKS) * WIDTH);
    let row = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    // Teams past the end go along, for the barriers' sake.
    let first = min(row, ROWS - 1u) * PACKS;
    let shift = Pack(pack_first(source[first]));
    var sum = Pack(0.0);
    for (var k = lane % TEAM; k < PACKS; k += TEAM) {
        sum += (source[first + k] - shift) * SHARE;
    }
    let mean = Pack(team_sum(pack_sum(sum), lane));
    var spread = Pack(0.0);
    for (var k = lane % TEAM; k < PACKS; k += TEAM) {
        let apart = (source[first + k] - shift) - mean;
        spread += apart * apart * SHARE;
    }
    let inverse = inverseSqrt(team_sum(pack_sum(spread), lane) + EPSILON);
    if (row >= ROWS) {
        return;
    }
    for (var k = lane % TEAM; k < PACKS; k += TEAM) {
        let i = first + k;
        result[i] = epilogue(i, ((source[i] - shift) - mean) * inverse);
    }
    if (lane % TEAM == 0u) {
        statistics[row] = vec4(pack_first(shift), pack_first(mean), inverse, inverse);
    }
}
