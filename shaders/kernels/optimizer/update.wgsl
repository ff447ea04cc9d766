//! uses group
//! hole rule
//!     scales(updates: u32) -> Scales
//!     update(scales: Scales, parameter: vec4<f32>, gradient: vec4<f32>, state: State) -> Updated
//!     by accumulate_update, adadelta_update, adagrad_update, adam_update, ema_update, lerp_update, lion_update,
//!        nadam_update, rmsprop_update, sgd_update
//! hole run_a
//!     load_a(i: u32) -> vec4<f32> { return vec4(0.0); }
//!     store_a(i: u32, value: vec4<f32>) {}
//!     by update_run_a
//! hole run_b
//!     load_b(i: u32) -> vec4<f32> { return vec4(0.0); }
//!     store_b(i: u32, value: vec4<f32>) {}
//!     by update_run_b
//! hole run_c
//!     load_c(i: u32) -> vec4<f32> { return vec4(0.0); }
//!     store_c(i: u32, value: vec4<f32>) {}
//!     by update_run_c
//! hole clip_value(gradient: vec4<f32>) -> vec4<f32> { return gradient; }
//!     by clip_value
//! hole gradient_scale() -> f32 { return 1.0; }
//!     by clip_norm, loss_scale_of_update
//! hole unscaled(gradient: vec4<f32>) -> vec4<f32> { return gradient; }
//!     by loss_scale_of_squares, loss_scale_of_update
//! hole is_skipped() -> bool { return false; }
//!     by loss_scale_of_update
//! hole epilogue(at: u32, value: vec4<f32>) -> vec4<f32>
//!     by the plan
//
// Walks a run of an arena and updates each element by update(), whose Scales are what all elements of a
// step share. Gradients are clipped on the way.
//
// Parameters, gradients and state each lie in a run of an arena, tensor after tensor, padded with zeros
// to 64 elements, which stay zero unless an eps of 0 divides them. One workgroup makes 64 * ITEMS
// neighbouring vectors of four, an invocation every 64th of them. Between the steps that update, nothing is written.
@group(0) @binding(0) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> step: array<u32>;

const VECTORS: u32 = 16u; // shape
const EVERY: u32 = 1u; // shape
const ITEMS: u32 = 4u; // tunable

struct State {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
}

struct Updated {
    p: vec4<f32>,
    state: State,
}

// The part of a parameter by which it decays: without decay nothing, even of one that is not finite.
fn decay_of(parameter: vec4<f32>, decay: f32) -> vec4<f32> {
    return select(decay * parameter, vec4(0.0), decay == 0.0);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    let end = select(0u, VECTORS, step[0] % EVERY == EVERY - 1u && !is_skipped());
    let shared_by_all = scales(step[0] / EVERY);
    let scale = gradient_scale();
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < end) {
            let state = State(load_a(i), load_b(i), load_c(i));
            let updated = update(shared_by_all, parameters[i], scale * clip_value(unscaled(gradients[i])), state);
            parameters[i] = epilogue(i, updated.p);
            store_a(i, updated.state.a);
            store_b(i, updated.state.b);
            store_c(i, updated.state.c);
        }
    }
}
