//! uses group, pool2d_shape, pool2d_winner
//! holes windows of pool2d_shape
//
// last[i] = 1 + the number of the last window in which element i won, and what it was, zero, where there is none.
//
// One invocation, one window. A maximum of whole numbers is the same in any order.
@group(0) @binding(0) var<storage, read_write> last: array<atomic<u32>>;

const OUTPUTS: u32 = 16u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let o = i32(group_number(group, groups) * 64u + lane);
    if (o >= i32(OUTPUTS)) {
        return;
    }
    let window = window_of(o / OUT_W % OUT_H, o % OUT_W);
    let tap = winner(u32(o));
    let y = window.top + tap / KERNEL_W * DILATION_H;
    let x = window.left + tap % KERNEL_W * DILATION_W;
    // What won may lie outside where the plane is smaller than the one that was pooled.
    if (y >= 0 && y < IN_H && x >= 0 && x < IN_W) {
        atomicMax(&last[place(o / (OUT_H * OUT_W) * (IN_H * IN_W), y, x)], u32(o) + 1u);
    }
}
