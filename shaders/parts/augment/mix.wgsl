//! uses element, philox
//! fills made
//
// y[n] = share * x[n] + (1 - share) * x[n - 1], where before the first comes the last; with BOXES, x[n - 1] within the
// rectangle and x[n] elsewhere. The batch has one share and one rectangle, drawn by Philox with counter
// (0, NODE, step, 0) and key SEED: entry T of 3 * 1024 numbers holds a share, half a height and half a width.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> step_number: array<u32>;
@group(0) @binding(2) var<storage, read> tables: array<f32>;

const SEED_LOW: u32 = 0u; // shape
const SEED_HIGH: u32 = 0u; // shape
const NODE: u32 = 0u; // shape
const N: u32 = 1u; // shape
const ROW: u32 = 64u; // shape
const H: u32 = 8u; // shape
const W: u32 = 8u; // shape
const CUTS: bool = false; // shape
const BOXES: bool = false; // shape

fn made(i: u32) -> Element {
    let words = philox(vec4(0u, NODE, step_number[0], 0u), vec2(SEED_LOW, SEED_HIGH));
    let entry = words.x >> 22u;
    var share = tables[entry];
    let n = i / ROW;
    let other = (n + N - 1u) % N * ROW + i % ROW;
    if (CUTS) {
        let middle = vec2<i32>(multiply_high(words.yz, vec2(H, W)));
        let half = vec2(i32(tables[1024u + entry]), i32(tables[2048u + entry]));
        let start = max(middle - half, vec2(0));
        let end = min(middle + half, vec2(i32(H), i32(W)));
        if (BOXES) {
            let at = vec2(i32(i / W % H), i32(i % W));
            return select(x[i], x[other], all(at >= start) && all(at < end));
        }
        share = 1.0 - f32((end.x - start.x) * (end.y - start.y)) / f32(H * W);
    }
    if (share == 1.0) {
        return x[i];
    }
    return share * x[i] + (1.0 - share) * x[other];
}
