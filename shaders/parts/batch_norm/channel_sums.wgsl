//! uses channels
//
// Adds the lanes' pairs within each channel, as a fixed tree; the lanes of the first row get the
// sums of their channels. All lanes of the workgroup must call it.
var<workgroup> pairs: array<vec2<f32>, LANES>;

fn channel_sums(lane: u32, pair: vec2<f32>) -> vec2<f32> {
    if (ROWS == 1u) {
        return pair;
    }
    pairs[lane] = pair;
    workgroupBarrier();
    for (var width = LANES / 2u; width >= LANES_C; width /= 2u) {
        if (lane < width) {
            pairs[lane] += pairs[lane + width];
        }
        workgroupBarrier();
    }
    return pairs[lane];
}
