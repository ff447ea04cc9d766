//! uses group, is_nan, pack
//! holes Pack of pack
//! hole keep(word: u32, won: u32) {}
//!     by max_pool2d_keep
//
// max_pool2d for a window that is the whole plane.
//
// A plane is PLANE packs of one number or four. TEAM neighbouring invocations make the outputs of one word
// of taps, plane after plane: each takes every TEAMth pack, and the team's winners are compared as a
// fixed tree. Of equals the element with the lowest number wins, wherever it was found, of NaN that with the highest.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const TEAM: u32 = 64u; // tunable
const WORDS: u32 = 4u; // shape
const TAPS_PER_WORD: u32 = 4u; // shape
const PLANES: u32 = 16u; // shape
const PLANE: u32 = 64u; // shape
const COUNT: u32 = 64u; // shape

struct Winner {
    value: f32,
    element: u32,
}

var<workgroup> values: array<f32, 64>;
var<workgroup> elements: array<u32, 64>;

fn first_of(a: Winner, b: Winner) -> Winner {
    var other = !is_nan(a.value) && (b.value > a.value || (b.value == a.value && b.element < a.element));
    if (is_nan(b.value)) {
        other = !is_nan(a.value) || b.element > a.element;
    }
    return Winner(select(a.value, b.value, other), select(a.element, b.element, other));
}

// The team's winner, for its first invocation.
fn team_winner(own: Winner, lane: u32) -> Winner {
    if (TEAM == 1u) {
        return own;
    }
    // Results of an earlier call may still be being read.
    workgroupBarrier();
    values[lane] = own.value;
    elements[lane] = own.element;
    for (var width = TEAM / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane % TEAM < width) {
            let other = Winner(values[lane + width], elements[lane + width]);
            let first = first_of(Winner(values[lane], elements[lane]), other);
            values[lane] = first.value;
            elements[lane] = first.element;
        }
    }
    return Winner(values[lane], elements[lane]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let word = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    let own = lane % TEAM;
    var kept = 0u;
    for (var part = 0u; part < TAPS_PER_WORD; part++) {
        let p = word * TAPS_PER_WORD + part;
        // Past the last plane the last one is looked at again, since all take part in the tree.
        let plane = min(p, PLANES - 1u) * PLANE;
        var best = source[plane + own];
        var at = PackNumber(own);
        for (var i = own + TEAM; i < PLANE; i += TEAM) {
            let candidate = source[plane + i];
            let wins = ((candidate > best) & !pack_is_nan(best)) | pack_is_nan(candidate);
            at = select(at, PackNumber(i), wins);
            best = select(best, candidate, wins);
        }
        // Under a compiler to which nothing is NaN it must still name an element.
        let element = min(pack_first_largest(best, at), COUNT - 1u);
        let winner = team_winner(Winner(pack_max(best), element), lane);
        if (own == 0u && p < PLANES) {
            result[p] = winner.value;
            kept |= winner.element << (part * (32u / TAPS_PER_WORD) % 32u);
        }
    }
    if (own == 0u && word < WORDS) {
        keep(word, kept);
    }
}
