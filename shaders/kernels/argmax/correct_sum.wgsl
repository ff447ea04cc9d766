//! uses count_sum
//
// correct = the sum of the counts of all parts.
//
// One workgroup: each invocation adds every 64th count (count_sum).
@group(0) @binding(0) var<storage, read> counts: array<u32>;
@group(0) @binding(1) var<storage, read_write> correct: array<u32>;

const PARTS: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0u;
    for (var part = lane; part < PARTS; part += 64u) {
        sum += counts[part];
    }
    let all = count_sum(sum, lane);
    if (lane == 0u) {
        correct[0] = all;
    }
}
