//! uses beyond
//
// correct = how many rows n have their first maximal logit at label[n]. logits [n, c] are
// row-major.
//
// One workgroup. TEAM invocations share a row, each looking at every TEAM-th class; a fixed tree
// finds the maximum and, among equals, the lowest class. Counts are integers: any order is exact.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(2) var<storage, read_write> correct: array<u32>;

const ROWS: u32 = 128u; // shape
const CLASSES: u32 = 10u; // shape
const TEAM: u32 = 1u; // tunable

var<workgroup> best: array<f32, 256>;
var<workgroup> best_class: array<u32, 256>;

fn look_at(lane: u32, other: u32) {
    let tied = !beyond(best[other], best[lane]) && !beyond(best[lane], best[other]);
    if (beyond(best[other], best[lane]) || (tied && best_class[other] < best_class[lane])) {
        best[lane] = best[other];
        best_class[lane] = best_class[other];
    }
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    let member = lane % TEAM;
    var right = 0u;
    for (var first = 0u; first < ROWS; first += 256u / TEAM) {
        let row = first + lane / TEAM;
        // Teams past the end go along, for the barriers' sake.
        let n = min(row, ROWS - 1u);
        // An invocation without a class of its own looks at the last one, as another does.
        var class_found = min(member, CLASSES - 1u);
        var found = logits[n * CLASSES + class_found];
        for (var c = member + TEAM; c < CLASSES; c += TEAM) {
            let x = logits[n * CLASSES + c];
            if (beyond(x, found)) {
                found = x;
                class_found = c;
            }
        }
        if (TEAM > 1u) {
            workgroupBarrier();
            best[lane] = found;
            best_class[lane] = class_found;
            for (var width = TEAM / 2u; width > 0u; width /= 2u) {
                workgroupBarrier();
                if (member < width) {
                    look_at(lane, lane + width);
                }
            }
            class_found = best_class[lane];
        }
        if (member == 0u && row < ROWS && labels[n] == i32(class_found)) {
            right++;
        }
    }
    workgroupBarrier();
    best_class[lane] = right;
    for (var width = 128u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane < width) {
            best_class[lane] += best_class[lane + width];
        }
    }
    if (lane == 0u) {
        correct[0] = best_class[0];
    }
}
