//! uses group, pack, team_pairs
//! holes Pack of pack
//! hole weight_at(at: u32) -> Pack { return Pack(1.0); }
//!     by the operator
//! hole epilogue(at: u32, value: Pack) -> Pack
//!     by the plan
//
// With g = gradient * weight, normal = (source - mean) * inverse and means over the row:
//     result = inverse * (g - mean of g - normal * mean of (g * normal))
// (Ba, Kiros and Hinton, "Layer Normalization", 2016, the derivative of section 3's formula.)
//
// Source, gradient and result [row][PACKS], statistics as row_norm makes them, `weight_at` the weights of a pack.
// A team of TEAM invocations makes a row, each every TEAMth pack in order; sums are then added as a fixed tree
// (team_pairs).
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;
@group(0) @binding(2) var<storage, read> statistics: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> result: array<Pack>;

const ROWS: u32 = 64u; // shape
const PACKS: u32 = 32u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const ELEMENTS = f32(PACKS) * WIDTH;
    let row = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    // Teams past the end go along, for the barriers' sake.
    let first = min(row, ROWS - 1u) * PACKS;
    let line = statistics[min(row, ROWS - 1u)];
    var sum = Pack(0.0);
    var weighted = Pack(0.0);
    for (var k = lane % TEAM; k < PACKS; k += TEAM) {
        let g = gradient[first + k] * weight_at(first + k);
        sum += g;
        weighted += g * ((source[first + k] - Pack(line.x)) - Pack(line.y));
    }
    let means = team_sums(vec2(pack_sum(sum), pack_sum(weighted)), lane) / ELEMENTS;
    if (row >= ROWS) {
        return;
    }
    let slope = means.y * line.z * line.z;
    for (var k = lane % TEAM; k < PACKS; k += TEAM) {
        let i = first + k;
        let apart = (source[i] - Pack(line.x)) - Pack(line.y);
        result[i] = epilogue(i, (gradient[i] * weight_at(i) - Pack(means.x) - apart * slope) * line.z);
    }
}
