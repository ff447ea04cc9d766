//! uses element, pool2d_shape, stretch
//! fills made
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
// Layouts NCHW, of RESULTS elements. The last windows come first. pool2d_candidates and pool2d_candidates_adaptive say
// which windows along a dimension are candidates, the file of each kind of pooling what a window gives to one of its
// taps.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;

const RESULTS: u32 = 64u; // shape
const PARTS: u32 = 2u; // shape

fn made(number: u32) -> Element {
    const CANDIDATES = CANDIDATES_H * CANDIDATES_W;
    let i = number % RESULTS;
    let row = i / u32(IN_W);
    let x = i32(i - row * u32(IN_W));
    let image = row / u32(IN_H);
    let y = i32(row - image * u32(IN_H));
    let plane = i32(image) * (OUT_H * OUT_W);
    var candidate = number / RESULTS;
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
    return sum;
}
