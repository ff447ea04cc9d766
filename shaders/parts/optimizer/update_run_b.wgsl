//! fills run_b
//
// An update that keeps the run of state b.
@group(0) @binding(3) var<storage, read_write> run_b: array<vec4<f32>>;

fn load_b(i: u32) -> vec4<f32> {
    return run_b[i];
}

fn store_b(i: u32, value: vec4<f32>) {
    run_b[i] = epilogue(i, value);
}
