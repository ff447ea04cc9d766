//! uses element, pool2d_shape, pool2d_share, stretch
//! fills made
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

const RESULTS: u32 = 64u; // shape
const PARTS: u32 = 2u; // shape

fn made(number: u32) -> Element {
    const CANDIDATES = CANDIDATES_H * CANDIDATES_W;
    let i = number % RESULTS;
    let own = place_of(i);
    var candidate = number / RESULTS;
    var sum = 0.0;
    while (candidate < CANDIDATES) {
        var stretch = 0.0;
        for (var k = 0u; k < STRETCH && candidate < CANDIDATES; k++) {
            let down = candidate_row(own.y, i32(candidate / CANDIDATES_W));
            let right = candidate_column(own.x, i32(candidate % CANDIDATES_W));
            stretch += share_of(i, own.windows, down, right);
            candidate += PARTS;
        }
        sum += stretch;
    }
    return sum;
}
