// result[i] = what twelve independent chains x <- x * factor + addend end in, added up: nothing but
// multiply-adds, to measure how many an adapter makes in a second.
//
// An invocation keeps its chains in three vectors, few enough for any register file and enough to hide the
// latency of one multiply-add. Chains converge to addend / (1 - factor), so no number grows or vanishes.
@group(0) @binding(0) var<storage, read> seed: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const ITERATIONS: u32 = 32u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let factor = vec4(seed[0]);
    let addend = vec4(seed[1]);
    var a = vec4(f32(id.x));
    var b = a + 1.0;
    var c = a + 2.0;
    for (var i = 0u; i < ITERATIONS; i++) {
        for (var unrolled = 0u; unrolled < 8u; unrolled++) {
            a = a * factor + addend;
            b = b * factor + addend;
            c = c * factor + addend;
        }
    }
    let sum = a + b + c;
    if (id.x < arrayLength(&result)) {
        result[id.x] = sum.x + sum.y + sum.z + sum.w;
    }
}
