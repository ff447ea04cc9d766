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
const KEEP_1: u32 = 1u; // shape
const KEEP_2: u32 = 1u; // shape
const KEEP_3: u32 = 1u; // shape
const KEEP_4: u32 = 1u; // shape
const KEEP_5: u32 = 1u; // shape
const SUM_1: u32 = 1u; // shape
const SUM_2: u32 = 1u; // shape
const SUM_3: u32 = 1u; // shape
const SUM_4: u32 = 1u; // shape
const SUM_5: u32 = 64u; // shape
const STRIDE_0: u32 = 0u; // shape
const STRIDE_1: u32 = 0u; // shape
const STRIDE_2: u32 = 0u; // shape
const STRIDE_3: u32 = 0u; // shape
const STRIDE_4: u32 = 0u; // shape
const STRIDE_5: u32 = 1u; // shape

fn kept_index(i: u32) -> u32 {
    return i % KEEP_5 * STRIDE_5
        + i / KEEP_5 % KEEP_4 * STRIDE_4
        + i / (KEEP_5 * KEEP_4) % KEEP_3 * STRIDE_3
        + i / (KEEP_5 * KEEP_4 * KEEP_3) % KEEP_2 * STRIDE_2
        + i / (KEEP_5 * KEEP_4 * KEEP_3 * KEEP_2) % KEEP_1 * STRIDE_1
        + i / (KEEP_5 * KEEP_4 * KEEP_3 * KEEP_2 * KEEP_1) * STRIDE_0;
}

fn summed_index(i: u32) -> u32 {
    return i % SUM_5 * STRIDE_5
        + i / SUM_5 % SUM_4 * STRIDE_4
        + i / (SUM_5 * SUM_4) % SUM_3 * STRIDE_3
        + i / (SUM_5 * SUM_4 * SUM_3) % SUM_2 * STRIDE_2
        + i / (SUM_5 * SUM_4 * SUM_3 * SUM_2) % SUM_1 * STRIDE_1
        + i / (SUM_5 * SUM_4 * SUM_3 * SUM_2 * SUM_1) * STRIDE_0;
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
