//! uses group, conv2d_shape, conv2d_gather, conv2d_row_taps
//
// Gradient of a convolution's weight with a sliding window along rows, for compilers that unroll no loops:
// no loop indexes an array until the end. Neighbouring windows are one input apart, and a window has three
// to seven taps along the row.
//
// An invocation makes eight output channels of three or five lines (conv2d_row_taps) with all taps, summed
// over ROWS rows of the output: rows, then columns, in order. What it makes is kept apart as gemm_* keep
// the parts of a split sum, for sum_splits to add.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;

const LANES: u32 = 8u; // tunable
const ROWS: u32 = 1u; // tunable

const ALL_LINES: u32 = IN * KH;

// The next four inputs. What lies in the padding is zero; numbers below zero wrap.
fn slide(x: Stretch, ow: u32) -> Stretch {
    let w = vec4<u32>(0u, 1u, 2u, 3u) + (ow + select(4u, 8u, KW > 5u) - u32(PW));
    let next = gathered(w + x.first, (w < vec4(W)) & vec4(x.inside));
    if (KW > 5u) {
        return Stretch(x.first, x.inside, x.b, x.c, next);
    }
    return Stretch(x.first, x.inside, x.b, next, vec4<f32>());
}

fn begin(line: u32, image: u32, z: u32, oh: u32) -> Stretch {
    let own = min(line, ALL_LINES - 1u);
    let h = oh * SH + own % KH * DH - u32(PH);
    var x: Stretch;
    x.first = (((image * GROUPS + z) * IN + own / KH) * H + h) * W;
    x.inside = h < H;
    if (KW > 5u) {
        x = slide(x, 0u - 8u);
    }
    return slide(x, 0u - 4u);
}

// Four neighbours of an output channel's gradient. What lies past the row's end is zero.
fn gradients(image: u32, z: u32, m: u32, oh: u32, ow: u32) -> vec4<f32> {
    let line = (((image * GROUPS + z) * OUT + min(m, OUT - 1u)) * OH + oh) * OW;
    let w = vec4<u32>(0u, 1u, 2u, 3u) + ow;
    let inside = w < vec4(OW);
    let at = select(vec4<u32>(), w + line, inside);
    return select(vec4<f32>(), vec4(gradient[at.x], gradient[at.y], gradient[at.z], gradient[at.w]), inside);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const BLOCKS = (OUT + 7u) / 8u;
    const SETS = (ALL_LINES + LINES - 1u) / LINES;
    const SPLITS = (IMAGES * OH + ROWS - 1u) / ROWS;
    const COLUMNS = (ALL_LINES * KW + 3u) / 4u * 4u;
    let number = group_number(group, groups);
    let block = number % BLOCKS * 8u;
    let z = number / BLOCKS % GROUPS;
    let place = number / (BLOCKS * GROUPS) * LANES + lane;
    let line = place % SETS * LINES;
    let split = place / SETS;
    if (split >= SPLITS) {
        return;
    }
    var sums0 = Lines();
    var sums1 = Lines();
    var sums2 = Lines();
    var sums3 = Lines();
    var sums4 = Lines();
    var sums5 = Lines();
    var sums6 = Lines();
    var sums7 = Lines();
    for (var row = split * ROWS; row < min((split + 1u) * ROWS, IMAGES * OH); row++) {
        let image = row / OH;
        let oh = row % OH;
        var x: Stretches;
        x.a = begin(line, image, z, oh);
        x.b = begin(line + 1u, image, z, oh);
        x.c = begin(line + 2u, image, z, oh);
        if (LINES > 3u) {
            x.d = begin(line + 3u, image, z, oh);
            x.e = begin(line + 4u, image, z, oh);
        }
        for (var ow = 0u; ow < OW; ow += 4u) {
            x.a = slide(x.a, ow);
            x.b = slide(x.b, ow);
            x.c = slide(x.c, ow);
            if (LINES > 3u) {
                x.d = slide(x.d, ow);
                x.e = slide(x.e, ow);
            }
            sums0 = add_lines(sums0, gradients(image, z, block, oh, ow), x);
            sums1 = add_lines(sums1, gradients(image, z, block + 1u, oh, ow), x);
            sums2 = add_lines(sums2, gradients(image, z, block + 2u, oh, ow), x);
            sums3 = add_lines(sums3, gradients(image, z, block + 3u, oh, ow), x);
            sums4 = add_lines(sums4, gradients(image, z, block + 4u, oh, ow), x);
            sums5 = add_lines(sums5, gradients(image, z, block + 5u, oh, ow), x);
            sums6 = add_lines(sums6, gradients(image, z, block + 6u, oh, ow), x);
            sums7 = add_lines(sums7, gradients(image, z, block + 7u, oh, ow), x);
        }
    }
    keep_lines(0u, sums0);
    keep_lines(1u, sums1);
    keep_lines(2u, sums2);
    keep_lines(3u, sums3);
    keep_lines(4u, sums4);
    keep_lines(5u, sums5);
    keep_lines(6u, sums6);
    keep_lines(7u, sums7);
    for (var b = 0u; b < min(8u, OUT - block); b++) {
        let at = ((z * SPLITS + split) * OUT + block + b) * COLUMNS;
        for (var l = 0u; l < min(LINES, ALL_LINES - line); l++) {
            for (var kw = 0u; kw < KW; kw++) {
                parts[at + (line + l) * KW + kw] = kept[b * LINES + l][kw];
            }
        }
    }
}
