//! uses team
//
// What an update does with gradients of a loss that was multiplied by scale[0], from the parts of the sum of their squares
// (gradient_squares):
//   verdict = (1 / scale, min(1, CLIP_NORM / (norm + 1e-6)), 1 if one of them overflowed and else 0, 0)
// and the next scale: half of it, but at least 1, after an overflow; its double after GROWTH_INTERVAL steps without one.
//
// One workgroup: each invocation adds every 64th vector of parts, then the invocations are added as a fixed tree. Between
// the steps that update, nothing is written.
@group(0) @binding(0) var<storage, read> squares: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> good_steps: array<f32>;
@group(0) @binding(4) var<storage, read_write> verdict: array<vec4<f32>>;

const PARTS: u32 = 4u; // shape
const EVERY: u32 = 1u; // shape
// 0 clips nothing.
const CLIP_NORM: f32 = 0.0; // shape
const GROWTH_INTERVAL: f32 = 2000.0; // shape
// The bits of 1e38. What overflowed adds more to the sum.
const OVERFLOW_BITS: u32 = 0x7e967699u;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = vec4(0.0);
    for (var i = lane; i < PARTS / 4u; i += 64u) {
        sum += squares[i];
    }
    let total = team_sum((sum.x + sum.y) + (sum.z + sum.w), lane);
    if (lane > 0u || step[0] % EVERY != EVERY - 1u) {
        return;
    }
    let overflow = (bitcast<u32>(total) & 0x7fffffffu) >= OVERFLOW_BITS;
    var clip = 1.0;
    if (CLIP_NORM > 0.0) {
        clip = min(1.0, CLIP_NORM / (sqrt(total) + 1e-6));
    }
    let before = scale[0];
    verdict[0] = vec4(1.0 / before, clip, select(0.0, 1.0, overflow), 0.0);
    let good = select(good_steps[0] + 1.0, 0.0, overflow);
    let grows = good >= GROWTH_INTERVAL;
    // A double that is past the largest f32 is none.
    let doubled = select(before, 2.0 * before, before < 1e38);
    scale[0] = select(select(before, doubled, grows), max(1.0, 0.5 * before), overflow);
    good_steps[0] = select(good, 0.0, grows);
}
