//! uses group, conv2d_winograd
//! hole bias_of(r: u32) -> f32 { return 0.0; }
//!     by winograd_bias
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// Transforms the products (16 x OUT x COLUMNS) of each tile and channel to 2 x 2 outputs. An invocation makes
// one tile of one channel; neighbours make neighbouring tiles.
//
// An infinity, or a sum past the largest number, makes NaN in Winograd's differences. So an output that is not
// finite is made anew as the sum over its window: channels, then rows, then columns, in order.
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<storage, read> products: array<f32>;

fn products_at(at: u32, b: u32) -> vec4<f32> {
    const EACH = OUT * COLUMNS;
    return vec4(
        products[at + 4u * b * EACH],
        products[at + (4u * b + 1u) * EACH],
        products[at + (4u * b + 2u) * EACH],
        products[at + (4u * b + 3u) * EACH],
    );
}

// A row of the window by its sources.
fn row_sum(r: u32, c: u32, kh: u32, plane: u32, h: i32, w: i32) -> f32 {
    let at = weight_place(r, c, kh);
    let row = select(vec3(weight[at], weight[at + 1u], weight[at + 2u]), vec3(weight[at + 2u], weight[at + 1u], weight[at]), FLIP);
    let columns = vec3(w, w + 1, w + 2);
    let inside = (columns >= vec3(0)) & (columns < vec3(i32(W))) & vec3(h >= 0 && h < i32(H));
    let place = select(vec3<u32>(), plane + u32(h) * W + vec3<u32>(columns), inside);
    let sources = select(vec3<f32>(), vec3(source[place.x], source[place.y], source[place.z]), inside);
    return fma(row.z, sources.z, fma(row.y, sources.y, row.x * sources.x));
}

fn window_sum(r: u32, image: u32, h: i32, w: i32) -> f32 {
    var sum = 0.0;
    for (var c = 0u; c < IN; c++) {
        let plane = (image * IN + c) * (H * W);
        sum += row_sum(r, c, 0u, plane, h, w);
        sum += row_sum(r, c, 1u, plane, h + 1, w);
        sum += row_sum(r, c, 2u, plane, h + 2, w);
    }
    return sum;
}

fn store(r: u32, start: Pixel, h: u32, w: u32, value: f32) {
    let oh = u32(start.h) + h;
    let ow = u32(start.w) + w;
    if (oh < OH && ow < OW) {
        var sum = value;
        if (is_lost(sum)) {
            sum = window_sum(r, start.image, i32(oh) - PH, i32(ow) - PW);
        }
        let at = ((start.image * OUT + r) * OH + oh) * OW + ow;
        result[at] = epilogue(at, sum + bias_of(r));
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    let tile = i % COLUMNS;
    let r = i / COLUMNS;
    if (r >= OUT || tile >= TILES) {
        return;
    }
    let m0 = products_at(i, 0u);
    let m1 = products_at(i, 1u);
    let m2 = products_at(i, 2u);
    let m3 = products_at(i, 3u);
    let left = m0 + m1 + m2;
    let right = m1 - m2 - m3;
    let start = tile_start(tile);
    store(r, start, 0u, 0u, left.x + left.y + left.z);
    store(r, start, 0u, 1u, right.x + right.y + right.z);
    store(r, start, 1u, 0u, left.y - left.z - left.w);
    store(r, start, 1u, 1u, right.y - right.z - right.w);
}
