//! uses group, conv2d_row_window
//! hole add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> { return values; }
//!     by gemm_bias_rows
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// Sliding windows along a row, for compilers that unroll no loops: no loop indexes an array until the end.
// See conv2d_correlation. Neighbouring results and taps are one source apart, and a window has three to
// seven taps along the row.
//
// An invocation makes eight result channels of sixteen neighbours in ROWS rows, one or two. A loaded
// stretch of a source row serves every tap of the window's row and all eight channels, and a loaded tap
// both rows. The sum runs over source channels, then kh, in order; the taps along the row are added up
// before they join it.
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const LANES: u32 = 8u; // tunable
const ROWS: u32 = 2u; // tunable

// A channel's sixteen results in each row.
struct Sums {
    a: mat4x4<f32>,
    b: mat4x4<f32>,
}

// By row and channel.
var<private> kept: array<mat4x4<f32>, 8u * ROWS>;

// A channel's sums after one row of the window, whose sources are x, and y for the second row.
fn add(sums: Sums, x: Stretch, y: Stretch, z: u32, channel: u32, c: u32, kh: u32) -> Sums {
    let m = min(channel, OUT - 1u);
    let w0 = vec4(tap(z, m, c, kh, 0u), tap(z, m, c, kh, 1u), tap(z, m, c, kh, 2u), tap(z, m, c, kh, 3u));
    let w1 = vec4(tap(z, m, c, kh, 4u), tap(z, m, c, kh, 5u), tap(z, m, c, kh, 6u), 0.0);
    let a = sums.a + slides(x, w0, w1);
    if (ROWS > 1u) {
        return Sums(a, sums.b + slides(y, w0, w1));
    }
    return Sums(a, sums.b);
}

fn keep(channel: u32, sums: Sums) {
    kept[channel] = sums.a;
    if (ROWS > 1u) {
        kept[8u + channel] = sums.b;
    }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const BLOCKS = (OUT + 7u) / 8u;
    const TILES = (OW + 15u) / 16u;
    const LINES = (OH + ROWS - 1u) / ROWS;
    let number = group_number(group, groups);
    let block = number % BLOCKS * 8u;
    let z = number / BLOCKS % GROUPS;
    let place = number / (BLOCKS * GROUPS) * LANES + lane;
    let ow = place % TILES * 16u;
    let oh = place / TILES % LINES * ROWS;
    let image = place / (TILES * LINES);
    if (image >= IMAGES) {
        return;
    }
    var sums0: Sums;
    var sums1: Sums;
    var sums2: Sums;
    var sums3: Sums;
    var sums4: Sums;
    var sums5: Sums;
    var sums6: Sums;
    var sums7: Sums;
    let first = ow - u32(PW);
    for (var i = 0u; i < IN * KH; i++) {
        let c = i / KH;
        let kh = i % KH;
        let h = oh + kh * DH - u32(PH);
        let x = stretch(image, z, c, h, first);
        var y: Stretch;
        if (ROWS > 1u) {
            y = stretch(image, z, c, h + 1u, first);
        }
        sums0 = add(sums0, x, y, z, block, c, kh);
        sums1 = add(sums1, x, y, z, block + 1u, c, kh);
        sums2 = add(sums2, x, y, z, block + 2u, c, kh);
        sums3 = add(sums3, x, y, z, block + 3u, c, kh);
        sums4 = add(sums4, x, y, z, block + 4u, c, kh);
        sums5 = add(sums5, x, y, z, block + 5u, c, kh);
        sums6 = add(sums6, x, y, z, block + 6u, c, kh);
        sums7 = add(sums7, x, y, z, block + 7u, c, kh);
    }
    keep(0u, sums0);
    keep(1u, sums1);
    keep(2u, sums2);
    keep(3u, sums3);
    keep(4u, sums4);
    keep(5u, sums5);
    keep(6u, sums6);
    keep(7u, sums7);
    // A store for each sum of its own would take longer to compile than all the rest.
    for (var r = 0u; r < min(ROWS, OH - oh); r++) {
        for (var b = 0u; b < min(8u, OUT - block); b++) {
            let channel = z * OUT + block + b;
            let line = ((image * GROUPS * OUT + channel) * OH + oh + r) * OW + ow;
            for (var t = 0u; t < min(16u, OW - ow); t++) {
                let sum = kept[r * 8u + b][t / 4u][t % 4u];
                result[line + t] = epilogue(line + t, add_bias(vec4(sum), channel, 0u).x);
            }
        }
    }
}
