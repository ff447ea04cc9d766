// parts/common/group.wgsl
// The workgroup's number where the plan folded a long row of workgroups into x, y and z.
fn group_number(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + groups.x * (group.y + groups.y * group.z);
}
// parts/optimizer/update_rate.wgsl
// The learning rate of an update.
@group(0) @binding(5) var<storage, read> rate: array<f32>;
// parts/optimizer/sgd_update.wgsl
//! uses update_rate
//! fills rule
//
// Stochastic gradient descent, as PyTorch has it:
//   d = g + WEIGHT_DECAY * p
//   b = MOMENTUM * b + (1 - dampening) * d,  in the first step b = d
//   p -= rate * (NESTEROV ? d + MOMENTUM * b : b)
// Without momentum b is d and is not kept.
const MOMENTUM: f32 = 0.8999999761581421f;
const SHARE: f32 = 1.0f;
const WEIGHT_DECAY: f32 = 0.0f;
const NESTEROV: bool = false;

struct Scales {
    rate: f32,
    share: f32,
}

fn scales(updates: u32) -> Scales {
    // SHARE is 1 - dampening. Dampening leaves out the first step, whose momenta are zero.
    return Scales(rate[0], select(SHARE, 1.0, updates == 0u));
}

fn update(scales: Scales, p: vec4<f32>, g: vec4<f32>, state: State) -> Updated {
    let d = g + decay_of(p, WEIGHT_DECAY);
    let b = MOMENTUM * state.a + scales.share * d;
    let taken = select(b, d + MOMENTUM * b, NESTEROV);
    return Updated(p - scales.rate * taken, State(b, state.b, state.c));
}
// parts/optimizer/update_run_a.wgsl
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
// parts/common/element_4.wgsl
//! fills Element
//
// An element is four numbers side by side.
alias Element = vec4<f32>;
alias Flag = vec4<bool>;
alias Bits = vec4<u32>;
alias Ints = vec4<i32>;

fn element_sum(x: Element) -> f32 {
    return (x.x + x.y) + (x.z + x.w);
}

fn bits_sum(x: Bits) -> u32 {
    return x.x + x.y + x.z + x.w;
}
// kernels/optimizer/update.wgsl
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

const VECTORS: u32 = 238720u;
const EVERY: u32 = 1u;
const ITEMS: u32 = 4u;

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
fn epilogue(at: u32, first: vec4<f32>) -> vec4<f32> {
    var value = first;
    return value;
}
fn load_b(i: u32) -> vec4<f32> {
    return vec4(0.0);
}
fn store_b(i: u32, value: vec4<f32>) {
    
}
fn load_c(i: u32) -> vec4<f32> {
    return vec4(0.0);
}
fn store_c(i: u32, value: vec4<f32>) {
    
}
fn clip_value(gradient: vec4<f32>) -> vec4<f32> {
    return gradient;
}
fn gradient_scale() -> f32 {
    return 1.0;
}
fn unscaled(gradient: vec4<f32>) -> vec4<f32> {
    return gradient;
}
fn is_skipped() -> bool {
    return false;
}
