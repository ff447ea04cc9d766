//! uses group, pool2d_weight
//! holes windows of pool2d_shape
//
// parts[p][w] = sum of weight(tap) over every PARTS-th tap of window w that its average counts, from tap p on:
// for pool2d_weight_kept.
//
// One invocation makes one part, taps in row-major order. Windows of one plane: all planes' are alike.
@group(0) @binding(0) var<storage, read_write> parts: array<f32>;

const PARTS: u32 = 2u; // shape

// Rounding grows with a stretch and with the number of stretches, not with their product.
const STRETCH: u32 = 32u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const WINDOWS = u32(OUT_H * OUT_W);
    let i = group_number(group, groups) * 64u + lane;
    if (i >= WINDOWS * PARTS) {
        return;
    }
    let o = i32(i % WINDOWS);
    let taps = counted_taps(window_of(o / OUT_W, o % OUT_W));
    let columns = u32(taps.end_x - taps.first_x);
    let count = u32(taps.end_y - taps.first_y) * columns;
    var tap = i / WINDOWS;
    var sum = 0.0;
    while (tap < count) {
        var stretch = 0.0;
        for (var k = 0u; k < STRETCH && tap < count; k++) {
            stretch += weight(taps.first_y + i32(tap / columns), taps.first_x + i32(tap % columns));
            tap += PARTS;
        }
        sum += stretch;
    }
    parts[i] = sum;
}
