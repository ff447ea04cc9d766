// The sum of what the invocations of a workgroup of 64 counted, for the first of them. Counts are integers: any order
// is exact.
var<workgroup> lane_counts: array<u32, 64>;

fn count_sum(own: u32, lane: u32) -> u32 {
    lane_counts[lane] = own;
    for (var width = 32u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane < width) {
            lane_counts[lane] += lane_counts[lane + width];
        }
    }
    return lane_counts[lane];
}
