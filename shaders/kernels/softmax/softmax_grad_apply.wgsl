//! uses group
//
// dx[i] = y[i] * (dy[i] - sum), or with LOG dy[i] - exp(y[i]) * sum, with the sum of the row that i lies in: the
// end of softmax_grad for rows too long for a team, whose sums were reduced before.
//
// Layout [outer, AXIS, INNER]; a row is one outer and one inner index. One workgroup makes 64 * ITEMS
// neighbouring elements, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

const ELEMENTS: u32 = 640u; // shape
const AXIS: u32 = 10u; // shape
const INNER: u32 = 1u; // shape
const LOG: bool = false; // shape
const ITEMS: u32 = 4u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < ELEMENTS) {
            let sum = sums[i / (AXIS * INNER) * INNER + i % INNER];
            if (LOG) {
                dx[i] = dy[i] - exp(y[i]) * sum;
            } else {
                dx[i] = y[i] * (dy[i] - sum);
            }
        }
    }
}
