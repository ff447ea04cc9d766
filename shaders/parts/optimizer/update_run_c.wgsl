//! fills run_c
//
// An update that keeps the run of state c.
@group(0) @binding(4) var<storage, read_write> run_c: array<vec4<f32>>;

fn load_c(i: u32) -> vec4<f32> {
    return run_c[i];
}

fn store_c(i: u32, value: vec4<f32>) {
    run_c[i] = epilogue(i, value);
}
