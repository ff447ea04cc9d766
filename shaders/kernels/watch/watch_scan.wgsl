//! uses group, element, watch
//! holes Element of element
//
// Counts what is not finite in a whole tensor, for nodes whose kernels don't do it themselves. The tensor's size
// is the bound range's, so that one pipeline serves all.
//
// One workgroup looks at 64 * ITEMS neighbouring elements, an invocation at every 64th of them.
@group(0) @binding(0) var<storage, read> source: array<Element>;

const ITEMS: u32 = 16u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    let end = arrayLength(&source);
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < end) {
            watch(is_suspect(source[i]));
        }
    }
}
