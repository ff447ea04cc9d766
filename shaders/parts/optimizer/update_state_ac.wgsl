//! fills state
//
// An update that keeps two runs of state: a, c.
@group(0) @binding(2) var<storage, read_write> run_a: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> run_c: array<vec4<f32>>;

fn load_state(i: u32) -> State {
    return State(run_a[i], vec4(0.0), run_c[i]);
}

fn store_state(i: u32, state: State) {
    run_a[i] = epilogue(i, state.a);
    run_c[i] = epilogue(i, state.c);
}
