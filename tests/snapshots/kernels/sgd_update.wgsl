// The workgroup's number where the plan folded a long row of workgroups into x, y and z.
fn group_number(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + groups.x * (group.y + groups.y * group.z);
}
// NaN and infinities, told by their bits: compilers may take it that no number is one.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn are_nan(x: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(x) & vec4(0x7fffffffu)) > vec4(0x7f800000u);
}

// What a maximum starts from, which no constant expression can be.
fn minus_infinity() -> f32 {
    var bits = 0xff800000u;
    return bitcast<f32>(bits);
}

// `x`, or NaN unless `bound` is finite.
fn unless_infinite(bound: f32, x: f32) -> f32 {
    var nan = 0x7fc00000u;
    return select(x, bitcast<f32>(nan), (bitcast<u32>(bound) & 0x7f800000u) == 0x7f800000u);
}
// Gradients stay as they are.
fn clip_value(gradient: vec4<f32>) -> vec4<f32> {
    return gradient;
}
// No gradient is scaled.
fn gradient_scale() -> f32 {
    return 1.0;
}
// An update that keeps one run of state: a.
@group(0) @binding(2) var<storage, read_write> run_a: array<vec4<f32>>;

fn load_state(i: u32) -> State {
    return State(run_a[i], vec4(0.0), vec4(0.0));
}

fn store_state(i: u32, state: State) {
    run_a[i] = epilogue(i, state.a);
}
// Walks a run of an arena and updates each element by update(), which another file has with
// its Scales, what all elements of a step share. Gradients are clipped on the way.
//
// Parameters, gradients and state each lie in a run of an arena, tensor after tensor, padded with zeros
// to 64 elements, which stay zero unless an eps of 0 divides them. One workgroup makes 64 * ITEMS neighbouring vectors of four, an
// invocation every 64th of them. Between the steps that update, nothing is written.
@group(0) @binding(0) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> step: array<u32>;

const VECTORS: u32 = 238608u;
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
    let end = select(0u, VECTORS, step[0] % EVERY == EVERY - 1u);
    let shared_by_all = scales(step[0] / EVERY);
    let scale = gradient_scale();
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < end) {
            let updated = update(shared_by_all, parameters[i], scale * clip_value(gradients[i]), load_state(i));
            parameters[i] = epilogue(i, updated.p);
            store_state(i, updated.state);
        }
    }
}
// The learning rate of an update.
@group(0) @binding(5) var<storage, read> rate: array<f32>;
// An element is four numbers side by side. Where one may be NaN or infinite it is told by its bits: compilers may take
// it that no number is, so max, min, clamp and selections by comparisons alone may lose one.
alias Element = vec4<f32>;
alias Flag = vec4<bool>;
alias Bits = vec4<u32>;

fn is_nan_element(x: Element) -> Flag {
    return (bitcast<Bits>(x) & Bits(0x7fffffffu)) > Bits(0x7f800000u);
}

// Infinite, or NaN.
fn is_not_finite(x: Element) -> Flag {
    return (bitcast<Bits>(x) & Bits(0x7f800000u)) == Bits(0x7f800000u);
}

fn is_minus_infinity(x: Element) -> Flag {
    return bitcast<Bits>(x) == Bits(0xff800000u);
}

// Neither zero, of either sign, nor NaN.
fn is_below_zero(x: Element) -> Flag {
    return (bitcast<Bits>(x) - Bits(0x80000001u)) < Bits(0x7f800000u);
}

// y, or x where that is NaN.
fn keep_nan(x: Element, y: Element) -> Element {
    return select(y, x, is_nan_element(x));
}

// NaN, which no constant expression can be.
fn no_number() -> Element {
    var bits = Bits(0x7fc00000u);
    return bitcast<Element>(bits);
}

// For activations that are x times something between 0 and 1: what PyTorch's products with an infinity are. Minus
// infinity makes NaN, and neither infinity has a slope.
fn as_a_product(x: Element, y: Element) -> Element {
    return select(y, no_number(), is_nan_element(x) | is_minus_infinity(x));
}

fn slope_as_of_a_product(x: Element, slope: Element) -> Element {
    return select(slope, no_number(), is_not_finite(x));
}

// x times a number that the compiler knows: by 0 it need not multiply, which is NaN of what is not finite.
fn times(number: f32, x: Element) -> Element {
    if (number == 0.0) {
        return select(Element(0.0), no_number(), is_not_finite(x));
    }
    return number * x;
}
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
fn epilogue(at: u32, first: Element) -> Element {
    var value = first;
    return value;
}
