//! uses group, element, lines
//! holes Element of element
//! hole element_at(n: u32, k: u32, inner: u32) -> Element
//!     by line, line_sorted
//! hole epilogue(at: u32, value: Element) -> Element
//!     by the plan
//
// sums[n][b][i] = sum of element k of line (n, i) over the BLOCK elements k of block b, for range_sum.
//
// One invocation makes one sum: it adds stretches in order, and those in order.
@group(0) @binding(16) var<storage, read_write> sums: array<Element>;

const LINES: u32 = 1u; // shape
const BLOCK: u32 = 1024u; // tunable

// Rounding grows with a stretch and with the number of stretches, not with their product.
const STRETCH: u32 = 32u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const BLOCKS = (LENGTH + BLOCK - 1u) / BLOCK;
    let i = group_number(group, groups) * 64u + lane;
    if (i >= LINES * BLOCKS * PLANE) {
        return;
    }
    let inner = i % PLANE;
    let n = i / (PLANE * BLOCKS);
    var k = i / PLANE % BLOCKS * BLOCK;
    let end = min(k + BLOCK, LENGTH);
    var sum = Element();
    while (k < end) {
        var stretch = Element();
        for (var s = 0u; s < STRETCH && k < end; s++) {
            stretch += element_at(n, k, inner);
            k++;
        }
        sum += stretch;
    }
    sums[i] = epilogue(i, sum);
}
