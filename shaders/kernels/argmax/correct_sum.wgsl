// correct = the sum of the counts of all parts.
//
// One workgroup: each invocation adds every 64th count, then a fixed tree adds those. Counts are integers: any
// order is exact.
@group(0) @binding(0) var<storage, read> counts: array<u32>;
@group(0) @binding(1) var<storage, read_write> correct: array<u32>;

const PARTS: u32 = 64u; // shape

var<workgroup> lane_counts: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0u;
    for (var part = lane; part < PARTS; part += 64u) {
        sum += counts[part];
    }
    lane_counts[lane] = sum;
    for (var width = 32u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane < width) {
            lane_counts[lane] += lane_counts[lane + width];
        }
    }
    if (lane == 0u) {
        correct[0] = lane_counts[0];
    }
}
