//! uses element
//
// The numerics watch within a kernel: each invocation counts those of the numbers it stores that are not finite,
// and adds them to the node's count when it ends. Nothing is written where all are finite. Calls of report_watch
// are put before every end of main when the kernel's text is joined.
//
// The exponent's bits are all ones in infinities and NaNs alone. Compared as whole numbers, since a compiler may
// assume that floats are finite.
@group(0) @binding(63) var<storage, read_write> not_finite: array<atomic<u32>>;

// The least magnitude that counts, as bits: infinity, or one more for NaNs alone.
const LEAST_BITS: i32 = i32(0x7f800000); // tunable

var<private> watched: Bits;

fn is_suspect(value: Element) -> Flag {
    return (bitcast<Ints>(value) & Ints(0x7fffffff)) >= Ints(LEAST_BITS);
}

fn watch(suspect: Flag) {
    watched += Bits(suspect);
}

fn report_watch() {
    let count = bits_sum(watched);
    if (count != 0u) {
        atomicAdd(&not_finite[0], count);
    }
}
