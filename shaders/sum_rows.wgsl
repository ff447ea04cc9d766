// result[i] = sum over k of source[i + k * PERIOD], for the k that stay below COUNT.
//
// Source is a matrix in row-major order, taken as rows of PERIOD elements whose last may be cut short.
// Where PERIOD is several rows of the matrix long, result holds as many partial rows, which a further
// run adds up. An element is a pack of one number or four. One invocation makes one element of the
// result, so that invocations side by side load side by side: it adds stretches of k in order, and
// those in order.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read_write> result: array<Pack>;

const COUNT: u32 = 128u; // shape
const PERIOD: u32 = 64u; // shape

// Rounding grows with a stretch and with the number of stretches, not with their product.
const STRETCH: u32 = 32u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= PERIOD) {
        return;
    }
    var sum = Pack();
    var at = i;
    while (at < COUNT) {
        var stretch = Pack();
        for (var k = 0u; k < STRETCH && at < COUNT; k++) {
            stretch += source[at];
            at += PERIOD;
        }
        sum += stretch;
    }
    result[i] = sum;
}
