// The numerics watch within a kernel: each invocation counts those of the numbers it stores that are not finite,
// and adds them to the node's count when it ends. Nothing is written where all are finite. Calls of report_watch
// are put before every end of main when the kernel's text is joined.
//
// The exponent's bits are all ones in infinities and NaNs alone. Compared as whole numbers, since a compiler may
// assume that floats are finite.
@group(0) @binding(63) var<storage, read_write> not_finite: array<atomic<u32>>;

// The least magnitude that counts, as bits: infinity, or one more for NaNs alone.
const LEAST_BITS: i32 = i32(0x7f800000); // tunable

var<private> watched: vec4<u32>;

fn suspect_vector(value: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<i32>>(value) & vec4(0x7fffffff)) >= vec4(LEAST_BITS);
}

fn suspect_scalar(value: f32) -> bool {
    return (bitcast<i32>(value) & 0x7fffffff) >= LEAST_BITS;
}

fn watch_vector(suspect: vec4<bool>) {
    watched += vec4<u32>(suspect);
}

fn watch_scalar(suspect: bool) {
    watched.x += u32(suspect);
}

fn report_watch() {
    let count = watched.x + watched.y + watched.z + watched.w;
    if (count != 0u) {
        atomicAdd(&not_finite[0], count);
    }
}
