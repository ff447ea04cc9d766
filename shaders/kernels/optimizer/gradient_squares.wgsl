//! uses group, team, stretch
//! hole clip_value(gradient: vec4<f32>) -> vec4<f32> { return gradient; }
//!     by clip_value
//! hole unscaled(gradient: vec4<f32>) -> vec4<f32> { return gradient; }
//!     by loss_scale_of_squares, loss_scale_of_update
//! hole is_overflow(gradient: vec4<f32>) -> bool { return false; }
//!     by loss_scale_of_squares
//
// squares[FIRST_PART + part] = sum of clipped gradient^2 over one part of a run of an arena.
//
// The run's vectors of four are cut into PARTS parts of PART_VECTORS; those past its end are empty. One
// workgroup makes one part: each invocation adds every 64th vector, stretches of them in order and
// those in order; then the invocations are added as a fixed tree. The zeros between the run's tensors
// add nothing. Only steps that update need the sums; in others they are zero. A part with an overflow is at least OVERFLOW.
@group(0) @binding(0) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> squares: array<f32>;
@group(0) @binding(2) var<storage, read> step: array<u32>;

const VECTORS: u32 = 16u; // shape
const FIRST_PART: u32 = 0u; // shape
const PARTS: u32 = 4u; // shape
const PART_VECTORS: u32 = 4u; // shape
const EVERY: u32 = 1u; // shape
const OVERFLOW: f32 = 3e38;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let part = group_number(group, groups);
    let end = select(0u, min((part + 1u) * PART_VECTORS, VECTORS), part < PARTS && step[0] % EVERY == EVERY - 1u);
    var sum = vec4(0.0);
    var overflow = false;
    var i = part * PART_VECTORS + lane;
    while (i < end) {
        var stretch = vec4(0.0);
        for (var k = 0u; k < STRETCH && i < end; k++) {
            let plain = unscaled(gradients[i]);
            overflow |= is_overflow(plain);
            let g = clip_value(plain);
            stretch += g * g;
            i += 64u;
        }
        sum += stretch;
    }
    let total = team_sum(select((sum.x + sum.y) + (sum.z + sum.w), OVERFLOW, overflow), lane);
    if (lane == 0u && part < PARTS) {
        squares[FIRST_PART + part] = total;
    }
}
