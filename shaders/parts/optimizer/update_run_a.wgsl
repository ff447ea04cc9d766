//! fills run_a
//
// An update that keeps the run of state a.
@group(0) @binding(2) var<storage, read_write> run_a: array<vec4<f32>>;

fn load_a(i: u32) -> vec4<f32> {
    return run_a[i];
}

fn store_a(i: u32, value: vec4<f32>) {
    run_a[i] = epilogue(i, value);
}
