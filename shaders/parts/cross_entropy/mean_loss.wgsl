// The end of a loss that one workgroup of 256 sums up: adds the invocations' sums and weights as
// fixed trees and writes the mean, which is 0 where nothing weighs anything, or without MEAN the sum.
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> count: array<f32>;

const MEAN: bool = true; // shape

var<workgroup> sums: array<f32, 256>;
var<workgroup> counted: array<f32, 256>;

fn write_mean(own_sum: f32, own_count: f32, lane: u32) {
    sums[lane] = own_sum;
    counted[lane] = own_count;
    for (var width = 128u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane < width) {
            sums[lane] += sums[lane + width];
            counted[lane] += counted[lane + width];
        }
    }
    if (lane == 0u) {
        // Where nothing weighs anything the sum is 0 too.
        loss[0] = sums[0] / select(1.0, counted[0], MEAN && counted[0] != 0.0);
        count[0] = counted[0];
    }
}
