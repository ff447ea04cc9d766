//! uses group, max_pool2d_goes_before, max_pool2d_taps
//! hole bias_of(c: u32) -> f32 { return 0.0; }
//!     by batch_norm_bias
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//! hole stored(value: f32) -> f32
//!     by the plan
//
// result = stored(largest of each 2x2 window of epilogue(batch norm of source)); taps say which one won, the first
// of equals, the last that is NaN (max_pool2d_taps). The normalised tensor is never written.
//
// Source (N, C, 2 OUT_H, 2 OUT_W), read as pairs, since a row of a window is one; result (N, C, OUT_H,
// OUT_W); statistics as batch_norm_finalize makes them. One invocation makes the windows of one word.
@group(0) @binding(0) var<storage, read> source: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read> statistics: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
@group(0) @binding(4) var<storage, read_write> taps: array<u32>;

const CHANNELS: u32 = 2u; // shape
const PLANES: u32 = 2u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= PLANES * WORDS) {
        return;
    }
    let plane = i / WORDS;
    let line = statistics[plane % CHANNELS];
    let offset = bias_of(plane % CHANNELS);
    let first = i % WORDS * 4u;
    var word = 0u;
    for (var j = 0u; j < 4u; j++) {
        // Windows past the plane's last are those before it again, and are not stored.
        let o = min(first + j, WINDOWS - 1u);
        let at = plane * (2u * WINDOWS) + o + o / OUT_W * OUT_W;
        let upper = (source[at] - vec2(line.x) - vec2(line.y)) * line.w + vec2(offset);
        let lower = (source[at + OUT_W] - vec2(line.x) - vec2(line.y)) * line.w + vec2(offset);
        var best = epilogue(2u * at, upper.x);
        var tap = 0u;
        let candidates = vec3(
            epilogue(2u * at + 1u, upper.y),
            epilogue(2u * (at + OUT_W), lower.x),
            epilogue(2u * (at + OUT_W) + 1u, lower.y),
        );
        for (var k = 0u; k < 3u; k++) {
            let wins = goes_before(candidates[k], best);
            best = select(best, candidates[k], wins);
            tap = select(tap, k + 1u, wins);
        }
        if (first + j < WINDOWS) {
            result[plane * WINDOWS + o] = stored(best);
            word |= tap << (8u * j);
        }
    }
    taps[i] = word;
}
