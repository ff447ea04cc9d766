//! uses element, philox, augment_draws
//! fills made
//! hole augment_flipped(n: u32, word: u32, step: u32, node: u32, seed: vec2<u32>) -> bool
//!     by augment_flip, augment_flip_alternating
//
// Row n of 16 numbers says how sample n is made. 0..6: the map from an output pixel's middle, relative to the output's
// middle, to an index of the input (0..3 its column, 3..6 its row). 6..10: brightness, contrast, saturation, hue.
// 10..14: the erased rectangle, as top, left, height, width. 14 and 15: zero. One invocation makes one number, and draws
// all of its row.
//
// Whole numbers, and single products compared with them, decide which rectangle is taken: no rounding does.
@group(0) @binding(0) var<storage, read> step_number: array<u32>;
@group(0) @binding(1) var<storage, read> tables: array<f32>;

const SEED_LOW: u32 = 0u; // shape
const SEED_HIGH: u32 = 0u; // shape
const NODE: u32 = 0u; // shape
const IN_H: u32 = 8u; // shape
const IN_W: u32 = 8u; // shape
const OUT_H: u32 = 8u; // shape
const OUT_W: u32 = 8u; // shape
const PADDING: u32 = 0u; // shape
const CROPS: bool = false; // shape
const RESIZES: bool = false; // shape
const MOVES: bool = false; // shape
const CROP_LEAST: u32 = 1u; // shape
const CROP_AREAS: u32 = 1u; // shape
const ERASE_BELOW: u32 = 0u; // shape
const ERASE_LEAST: u32 = 1u; // shape
const ERASE_AREAS: u32 = 1u; // shape

// Words of Philox for sample n, with counter (block, NODE, step, n + 1): dropout's counters end in 0.
fn drawn(n: u32, block: u32) -> vec4<u32> {
    return philox(vec4(block, NODE, step_number[0], n + 1u), vec2(SEED_LOW, SEED_HIGH));
}

// Within the range at the head of the tables.
fn ranged(range: u32, word: u32) -> f32 {
    return between(tables[2u * range], tables[2u * range + 1u], word);
}

// The rectangle of the input that the output shows: middle column and row, width and height.
fn window(n: u32) -> vec4<f32> {
    let size = vec2(f32(IN_W), f32(IN_H));
    if (CROPS) {
        let words = drawn(n, 0u);
        let left = i32(below(words.x, IN_W + 2u * PADDING - OUT_W + 1u)) - i32(PADDING);
        let top = i32(below(words.y, IN_H + 2u * PADDING - OUT_H + 1u)) - i32(PADDING);
        let out = vec2(f32(OUT_W), f32(OUT_H));
        return vec4(vec2(f32(left), f32(top)) + 0.5 * out, out);
    }
    if (!RESIZES) {
        return vec4(0.5 * size, size);
    }
    for (var attempt = 0u; attempt < 10u; attempt++) {
        let words = drawn(n, 4u + attempt);
        let area = f32(CROP_LEAST + below(words.x, CROP_AREAS));
        let ratio = 32u + below(words.y, 256u);
        let squares = vec2(area * tables[ratio], area * tables[256u + ratio]);
        if (squares.x <= f32(IN_W * IN_W) && squares.y <= f32(IN_H * IN_H)) {
            let extent = min(sqrt(squares), size);
            let start = (size - extent) * vec2(unit(words.z), unit(words.w));
            return vec4(start + 0.5 * extent, extent);
        }
    }
    return vec4(0.5 * size, tables[21], tables[20]);
}

// Top, left, height and width of the erased rectangle, zeros for none.
fn erased(n: u32) -> vec4<u32> {
    if (drawn(n, 3u).y >= ERASE_BELOW) {
        return vec4(0u);
    }
    for (var attempt = 0u; attempt < 10u; attempt++) {
        let words = drawn(n, 14u + attempt);
        let area = f32(ERASE_LEAST + below(words.x, ERASE_AREAS));
        let ratio = 544u + below(words.y, 256u);
        let h = whole_root(area * tables[ratio]);
        let w = whole_root(area * tables[256u + ratio]);
        if (h > 0u && w > 0u && h < OUT_H && w < OUT_W) {
            return vec4(below(words.z, OUT_H - h + 1u), below(words.w, OUT_W - w + 1u), h, w);
        }
    }
    return vec4(0u);
}

// Row `row` (0 columns, 1 rows) of the map.
fn place(n: u32, row: u32) -> vec3<f32> {
    let shown = window(n);
    let turned = select(1.0, -1.0, augment_flipped(n, drawn(n, 0u).w, step_number[0], NODE, vec2(SEED_LOW, SEED_HIGH)));
    var factors = vec2(turned * shown.z / f32(OUT_W), 0.0);
    var middle = shown.x - 0.5;
    if (row == 1u) {
        factors = vec2(0.0, shown.w / f32(OUT_H));
        middle = shown.y - 0.5;
    }
    if (!MOVES) {
        return vec3(factors, middle);
    }
    let words = drawn(n, 1u);
    let angle = direction(ranged(0u, drawn(n, 0u).z));
    let across = direction(ranged(1u, words.x));
    let down = direction(ranged(2u, words.y));
    let shear = vec2(across.y / across.x, down.y / down.x);
    let a = angle.x + angle.y * shear.y;
    let c = angle.y - angle.x * shear.y;
    let b = -a * shear.x - angle.y;
    let d = -c * shear.x + angle.x;
    let scale = ranged(5u, drawn(n, 2u).x);
    let x = (factors.x * d - factors.y * c) / scale;
    let y = (factors.y * a - factors.x * b) / scale;
    return vec3(x, y, middle - (x * ranged(3u, words.z) + y * ranged(4u, words.w)));
}

fn made(i: u32) -> Element {
    let n = i / 16u;
    let at = i % 16u;
    if (at < 6u) {
        return place(n, at / 3u)[at % 3u];
    }
    if (at < 10u) {
        let words = vec4(drawn(n, 2u).yzw, drawn(n, 3u).x);
        return ranged(at, words[at - 6u]);
    }
    if (at < 14u) {
        return f32(erased(n)[at - 10u]);
    }
    return 0.0;
}
