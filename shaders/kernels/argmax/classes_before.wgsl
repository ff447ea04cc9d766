//! uses group, count_sum, beyond
//
// counts[n, part] = how many classes of one part come before label[n] in row n of logits [n, c]: all of them if the
// label is no class. A class comes before another if its logit is larger, or equal at a lower index.
//
// One workgroup makes one part of PART_CLASSES: each invocation looks at every 64th class of it (count_sum).
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;

const ROWS: u32 = 128u; // shape
const CLASSES: u32 = 10u; // shape
const PARTS: u32 = 1u; // shape
const PART_CLASSES: u32 = 10u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let number = group_number(group, groups);
    // Workgroups past the end go along, for the barriers' sake.
    let n = min(number / PARTS, ROWS - 1u);
    let first = number % PARTS * PART_CLASSES;
    let label = labels[n];
    let known = label >= 0 && label < i32(CLASSES);
    let class_wanted = select(0u, u32(label), known);
    let wanted = logits[n * CLASSES + class_wanted];
    let end = min(first + PART_CLASSES, CLASSES);
    var before = 0u;
    for (var c = first + lane; c < end; c += 64u) {
        let x = logits[n * CLASSES + c];
        let tied = !beyond(x, wanted) && !beyond(wanted, x);
        before += u32(!known || beyond(x, wanted) || (tied && c < class_wanted));
    }
    let all = count_sum(before, lane);
    if (lane == 0u && number < ROWS * PARTS) {
        counts[number] = all;
    }
}
