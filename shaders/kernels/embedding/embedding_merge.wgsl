//! uses group
//
// order = source with WAYS neighbouring sorted runs of RUN each made into one (embedding_sort).
//
// One invocation, one element: it finds by bisection how many of each other run come before it. Equal indices
// keep the order of their runs, and so of their positions.
@group(0) @binding(0) var<storage, read> source: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> order: array<vec2<u32>>;

const POSITIONS: u32 = 64u; // shape
const RUN: u32 = 256u; // shape
const WAYS: u32 = 16u; // tunable
// Halvings after which nothing is left of a run.
const STEPS: u32 = 9u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= POSITIONS) {
        return;
    }
    let own = source[i];
    let run = i / RUN;
    let first = run / WAYS * WAYS;
    var place = first * RUN + i % RUN;
    for (var other = first; other < first + WAYS && other * RUN < POSITIONS; other++) {
        let start = other * RUN;
        var low = start;
        // A run is none of those beside itself.
        var high = select(min(start + RUN, POSITIONS), start, other == run);
        for (var step = 0u; step < STEPS && low < high; step++) {
            let middle = low + (high - low) / 2u;
            let index = source[middle].x;
            let before = index < own.x || (index == own.x && other < run);
            if (before) {
                low = middle + 1u;
            } else {
                high = middle;
            }
        }
        place += low - start;
    }
    order[place] = own;
}
