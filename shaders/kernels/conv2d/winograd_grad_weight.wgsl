//! uses group, conv2d_winograd
//
// Transforms the products (16 x OUT x IN rounded up to 4) over all tiles to the weight's gradient. An invocation makes
// a window.
//
// A window with an element that is not finite is made anew as sums over the pixels of all images, in order, because an
// infinity, or a sum past the largest number, makes NaN in Winograd's differences.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<storage, read> products: array<f32>;

const ROW: u32 = (IN + 3u) / 4u * 4u;

fn products_at(at: u32, b: u32) -> vec4<f32> {
    const EACH = OUT * ROW;
    return vec4(
        products[at + 4u * b * EACH],
        products[at + (4u * b + 1u) * EACH],
        products[at + (4u * b + 2u) * EACH],
        products[at + (4u * b + 3u) * EACH],
    );
}

fn row_of(plane: u32, h: i32, w: i32) -> vec3<f32> {
    let columns = vec3(w, w + 1, w + 2);
    let inside = (columns >= vec3(0)) & (columns < vec3(i32(W))) & vec3(h >= 0 && h < i32(H));
    let place = select(vec3<u32>(), plane + u32(h) * W + vec3<u32>(columns), inside);
    return select(vec3<f32>(), vec3(input[place.x], input[place.y], input[place.z]), inside);
}

// The window's gradient by its pixels.
fn pixel_sums(r: u32, c: u32) -> mat3x3<f32> {
    var sums = mat3x3<f32>();
    for (var i = 0u; i < IMAGES * OH * OW; i++) {
        let image = i / (OH * OW);
        let plane = (image * IN + c) * (H * W);
        let h = i32(i / OW % OH) - PH;
        let w = i32(i % OW) - PW;
        let e = vec3(gradient[(image * OUT + r) * (OH * OW) + i % (OH * OW)]);
        sums = mat3x3<f32>(
            fma(e, row_of(plane, h, w), sums[0]),
            fma(e, row_of(plane, h + 1, w), sums[1]),
            fma(e, row_of(plane, h + 2, w), sums[2]),
        );
    }
    return sums;
}

// A column of the window from products that are transformed along the row.
fn column_of(m: vec4<f32>) -> vec3<f32> {
    return vec3(m.x + m.y + m.z, m.y - m.z, m.y + m.z - m.w);
}

fn any_lost(x: vec3<f32>) -> bool {
    return is_lost(x.x) || is_lost(x.y) || is_lost(x.z);
}

fn store_row(at: u32, row: vec3<f32>) {
    result[at] = row.x;
    result[at + 1u] = row.y;
    result[at + 2u] = row.z;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    let r = i / IN;
    let c = i % IN;
    if (r >= OUT) {
        return;
    }
    let m0 = products_at(r * ROW + c, 0u);
    let m1 = products_at(r * ROW + c, 1u);
    let m2 = products_at(r * ROW + c, 2u);
    let m3 = products_at(r * ROW + c, 3u);
    let columns = mat3x3<f32>(column_of(m0 + m1 + m2), column_of(m1 - m2), column_of(m1 + m2 - m3));
    var rows = transpose(columns);
    if (any_lost(rows[0]) || any_lost(rows[1]) || any_lost(rows[2])) {
        rows = pixel_sums(r, c);
    }
    store_row(i * 9u, rows[0]);
    store_row(i * 9u + 3u, rows[1]);
    store_row(i * 9u + 6u, rows[2]);
}
