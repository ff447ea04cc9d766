//! uses group, is_nan
//! hole keep(word: u32, won: u32) {}
//!     by max_pool2d_keep
//
// max_pool2d for 2x2 windows that tile the input, with few output columns, an odd number of them.
//
// The two input rows of an output row are OUT_W vec4s: HALF of the upper row, one whose halves end the
// upper and begin the lower row, and HALF of the lower row. One invocation makes four output rows, which
// are OUT_W whole words, and loads each vec4 once. All its loops unroll, so that places are constants.
// For software adapters: lanes read far apart, but no load is narrower than a vec4.
@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4<f32>>;

const WORDS: u32 = 3u; // shape
const OUT_W: u32 = 3u; // shape
const HALF: u32 = OUT_W / 2u;

// The outputs of a word that is not full yet, the last one last, and their taps in their places.
struct Word {
    best: vec4<f32>,
    taps: u32,
}

fn pool_row(begun: Word, block: u32, row: u32) -> Word {
    var word = begun;
    let first = (4u * block + row) * OUT_W;
    let middle = source[first + HALF];
    var before = middle;
    for (var x = 0u; x < OUT_W; x += 2u) {
        var upper = middle;
        var after = before;
        if (x < OUT_W - 1u) {
            upper = source[first + x / 2u];
            after = source[first + HALF + 1u + x / 2u];
        }
        for (var side = 0u; side < 2u; side++) {
            if (x + side < OUT_W) {
                let window = select(vec4(upper.xy, before.zw), vec4(upper.zw, after.xy), side == 1u);
                let o = row * OUT_W + x + side;
                // Tap 1 in its place. Sums of selected constants: a software adapter would take shifts and
                // ors of computed taps lane by lane.
                let one = 1u << (o % 4u * 8u);
                // Only a strictly larger one goes before an earlier one, or NaN.
                let nan = are_nan(window);
                let top_right = (window.y > window.x && !nan.x) || nan.y;
                let bottom_right = (window.w > window.z && !nan.z) || nan.w;
                let top = select(window.x, window.y, top_right);
                let bottom = select(window.z, window.w, bottom_right);
                let below = (bottom > top && !nan.x && !nan.y) || nan.z || nan.w;
                let top_tap = select(0u, one, top_right);
                let bottom_tap = select(2u * one, 3u * one, bottom_right);
                word.best = vec4(word.best.yzw, select(top, bottom, below));
                word.taps |= select(top_tap, bottom_tap, below);
                if (o % 4u == 3u) {
                    result[block * OUT_W + o / 4u] = word.best;
                    keep(block * OUT_W + o / 4u, word.taps);
                    word.taps = 0u;
                }
            }
        }
        before = after;
    }
    return word;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let block = group_number(group, groups) * 64u + lane;
    if (block * OUT_W >= WORDS) {
        return;
    }
    var word = pool_row(Word(vec4(0.0), 0u), block, 0u);
    word = pool_row(word, block, 1u);
    word = pool_row(word, block, 2u);
    word = pool_row(word, block, 3u);
}
