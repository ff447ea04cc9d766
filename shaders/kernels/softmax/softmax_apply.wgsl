//! uses group
//
// y[i] = exp(x[i] - m) / sum, or with LOG x[i] - m - log(sum), with the maximum m and the sum of the row that i
// lies in: the end of softmax over rows too long for a team (softmax), both reduced before.
//
// Layout [outer, AXIS, INNER]; a row is one outer and one inner index. One workgroup makes 64 * ITEMS
// neighbouring elements, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> maxima: array<f32>;
@group(0) @binding(2) var<storage, read> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

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
            let row = i / (AXIS * INNER) * INNER + i % INNER;
            let apart = x[i] - maxima[row];
            if (LOG) {
                y[i] = apart - log(sums[row]);
            } else {
                y[i] = exp(apart) / sums[row];
            }
        }
    }
}
