//! uses group, pool2d_shape
//! holes windows of pool2d_shape
//! hole share(gradient: f32, i: u32, o: u32, down: Cover, right: Cover) -> f32
//!     by pool2d_average, pool2d_weighted, pool2d_lp_share, pool2d_winner_share
//! hole candidates
//!     candidate_row(y: i32, k: i32) -> Cover
//!     candidate_column(x: i32, k: i32) -> Cover
//!     by pool2d_candidates, pool2d_candidates_adaptive
//
// parts[p][i] = sum of share(gradient[n,c,oy,ox], ...) over every PARTS-th candidate among the windows (oy,ox) that
// cover (y,x), from candidate p on: for elements that too many windows may cover for one invocation
// (pool2d_gather).
//
// Layouts NCHW. One invocation makes one part, the last windows first. Which windows along a dimension are
// candidates say pool2d_candidates and pool2d_candidates_adaptive, what a window gives to one of its
// taps the file of each kind of pooling.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

const ELEMENTS: u32 = 64u; // shape
const PARTS: u32 = 2u; // shape

// Rounding grows with a stretch and with the number of stretches, not with their product.
const STRETCH: u32 = 32u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const CANDIDATES = CANDIDATES_H * CANDIDATES_W;
    let number = group_number(group, groups) * 64u + lane;
    if (number >= ELEMENTS * PARTS) {
        return;
    }
    let i = number % ELEMENTS;
    let row = i / u32(IN_W);
    let x = i32(i - row * u32(IN_W));
    let image = row / u32(IN_H);
    let y = i32(row - image * u32(IN_H));
    let plane = i32(image) * (OUT_H * OUT_W);
    var candidate = number / ELEMENTS;
    var sum = 0.0;
    while (candidate < CANDIDATES) {
        var stretch = 0.0;
        for (var k = 0u; k < STRETCH && candidate < CANDIDATES; k++) {
            let down = candidate_row(y, i32(candidate / CANDIDATES_W));
            let right = candidate_column(x, i32(candidate % CANDIDATES_W));
            let o = u32(plane + down.window * OUT_W + right.window);
            stretch += select(0.0, share(gradient[o], i, o, down, right), down.hits && right.hits);
            candidate += PARTS;
        }
        sum += stretch;
    }
    parts[number] = sum;
}
