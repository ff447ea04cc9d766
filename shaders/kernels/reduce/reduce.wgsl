//! uses group, pack_1, reduction, team_combine
//! holes combine, term of reduction
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// result[o] = epilogue(o, SCALE * terms of source combined over the dimensions along which o has size one).
//
// One workgroup makes one output, or of a long reduction one of its PARTS of PART_COUNT terms, which a
// run of reduce_channels reduces further. Each invocation combines every 64th term in order, then the 64 results
// are combined as a fixed tree. Shapes are padded to six dimensions; a dimension is either kept (its size
// is in KEEP) or reduced (in SUM), the other of the two being one.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const OUTPUTS: u32 = 1u; // shape
const COUNT: u32 = 64u; // shape
const PARTS: u32 = 1u; // shape
const PART_COUNT: u32 = 64u; // shape
const SCALE: f32 = 1.0; // shape
const KEEP: array<u32, 6> = array(1u, 1u, 1u, 1u, 1u, 1u); // shape
const SUM: array<u32, 6> = array(1u, 1u, 1u, 1u, 1u, 64u); // shape
const STRIDE: array<u32, 6> = array(0u, 0u, 0u, 0u, 0u, 1u); // shape

fn kept_index(i: u32) -> u32 {
    return i % KEEP[5] * STRIDE[5]
        + i / KEEP[5] % KEEP[4] * STRIDE[4]
        + i / (KEEP[5] * KEEP[4]) % KEEP[3] * STRIDE[3]
        + i / (KEEP[5] * KEEP[4] * KEEP[3]) % KEEP[2] * STRIDE[2]
        + i / (KEEP[5] * KEEP[4] * KEEP[3] * KEEP[2]) % KEEP[1] * STRIDE[1]
        + i / (KEEP[5] * KEEP[4] * KEEP[3] * KEEP[2] * KEEP[1]) * STRIDE[0];
}

fn summed_index(i: u32) -> u32 {
    return i % SUM[5] * STRIDE[5]
        + i / SUM[5] % SUM[4] * STRIDE[4]
        + i / (SUM[5] * SUM[4]) % SUM[3] * STRIDE[3]
        + i / (SUM[5] * SUM[4] * SUM[3]) % SUM[2] * STRIDE[2]
        + i / (SUM[5] * SUM[4] * SUM[3] * SUM[2]) % SUM[1] * STRIDE[1]
        + i / (SUM[5] * SUM[4] * SUM[3] * SUM[2] * SUM[1]) * STRIDE[0];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let number = group_number(group, groups);
    if (number >= OUTPUTS * PARTS) {
        return;
    }
    let output = number / PARTS;
    let first = number % PARTS * PART_COUNT;
    let end = min(first + PART_COUNT, COUNT);
    let base = kept_index(output);
    let origin = source[base];
    var own = neutral();
    for (var i = first + lane; i < end; i += 64u) {
        let at = base + summed_index(i);
        own = combine(own, term(source[at], at, origin, output));
    }
    let total = team_combine(own, lane);
    if (lane == 0u) {
        result[number] = epilogue(number, total * SCALE);
    }
}
