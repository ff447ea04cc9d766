//! uses group, team
//
// part_losses[p], part_weights[p] = the sums of the losses and of the weights of rows p * PART_ROWS and on.
//
// One workgroup makes one part: each invocation adds every 64th row in order, then the invocations' sums are
// added as a fixed tree (team).
@group(0) @binding(0) var<storage, read> losses: array<f32>;
@group(0) @binding(1) var<storage, read> row_weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> part_losses: array<f32>;
@group(0) @binding(3) var<storage, read_write> part_weights: array<f32>;

const ROWS: u32 = 32768u; // shape
const PARTS: u32 = 8u; // shape
const PART_ROWS: u32 = 4096u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let part = group_number(group, groups);
    let end = select(0u, min((part + 1u) * PART_ROWS, ROWS), part < PARTS);
    var sum = vec2(0.0);
    for (var n = part * PART_ROWS + lane; n < end; n += 64u) {
        sum += vec2(losses[n], row_weights[n]);
    }
    let loss = team_sum(sum.x, lane);
    let weight = team_sum(sum.y, lane);
    if (lane == 0u && part < PARTS) {
        part_losses[part] = loss;
        part_weights[part] = weight;
    }
}
