//! uses group, reduction, stretch
//! holes Pack of pack; combine, term of reduction
//! hole epilogue(at: u32, value: Pack) -> Pack
//!     by the plan
//
// result[b][i] = epilogue(i, SCALE * terms of source[b][i + k * PERIOD] combined over k), for the k that stay
// below COUNT.
//
// Source is a batch of matrices in row-major order, each taken as rows of PERIOD elements whose last may
// be cut short. Where PERIOD is several rows of KEPT elements long, result holds as many partial rows,
// which a further run reduces. An element is a pack of one number or four. One invocation makes one element
// of the result, so that invocations side by side load side by side: it combines stretches of k in order,
// and those in order.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read_write> result: array<Pack>;

const BATCH: u32 = 1u; // shape
const COUNT: u32 = 128u; // shape
const PERIOD: u32 = 64u; // shape
const KEPT: u32 = 64u; // shape
const SCALE: f32 = 1.0; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= BATCH * PERIOD) {
        return;
    }
    let first = i / PERIOD * COUNT;
    let column = i % PERIOD % KEPT;
    let origin = source[first + column];
    let kept = i / PERIOD * KEPT + column;
    var own = Pack(neutral());
    var at = first + i % PERIOD;
    let end = first + COUNT;
    while (at < end) {
        var stretch = Pack(neutral());
        for (var k = 0u; k < STRETCH && at < end; k++) {
            stretch = combine(stretch, term(source[at], at, origin, kept));
            at += PERIOD;
        }
        own = combine(own, stretch);
    }
    result[i] = epilogue(i, own * SCALE);
}
