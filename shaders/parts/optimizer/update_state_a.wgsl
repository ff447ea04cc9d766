//! fills state
//
// An update that keeps one run of state: a.
@group(0) @binding(2) var<storage, read_write> run_a: array<vec4<f32>>;

fn load_state(i: u32) -> State {
    return State(run_a[i], vec4(0.0), vec4(0.0));
}

fn store_state(i: u32, state: State) {
    run_a[i] = epilogue(i, state.a);
}
