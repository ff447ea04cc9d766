//! uses mean_loss
//
// loss = sum of losses, or with MEAN that / the rows' weights together, which count holds either way.
//
// One workgroup. An invocation adds every 256th row in order, stretch by stretch, then the 256 sums are added
// as a fixed tree (mean_loss).
@group(0) @binding(0) var<storage, read> losses: array<f32>;
@group(0) @binding(1) var<storage, read> row_weights: array<f32>;

const ROWS: u32 = 128u; // shape

// Rounding grows with a stretch and with the number of stretches, not with their product.
const STRETCH: u32 = 64u;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = vec2(0.0);
    var n = lane;
    while (n < ROWS) {
        var stretch = vec2(0.0);
        for (var k = 0u; k < STRETCH && n < ROWS; k++) {
            stretch += vec2(losses[n], row_weights[n]);
            n += 256u;
        }
        sum += stretch;
    }
    write_mean(sum.x, sum.y, lane);
}
