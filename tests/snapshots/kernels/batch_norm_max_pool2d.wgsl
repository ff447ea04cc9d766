// parts/common/group.wgsl
// The workgroup's number where the plan folded a long row of workgroups into x, y and z.
fn group_number(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + groups.x * (group.y + groups.y * group.z);
}
// parts/common/is_nan.wgsl
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
// parts/pool2d/max_pool2d_goes_before.wgsl
//! uses is_nan
//
// What is no tap's number: a window has fewer taps.
const NO_TAP: u32 = 0xffffffffu;

// Whether a later tap takes an earlier one's place: only a larger one does, or NaN.
fn goes_before(later: f32, earlier: f32) -> bool {
    return (later > earlier && !is_nan(earlier)) || is_nan(later);
}
// parts/batch_norm/max_pool2d_taps.wgsl
// Which tap won in each window of batch_norm_max_pool2d: a byte a window, 0 to 3 row by row, four
// windows a word, the first lowest; each plane of OUT_H x OUT_W windows starts a word.
const OUT_H: u32 = 14u;
const OUT_W: u32 = 14u;

const WINDOWS: u32 = OUT_H * OUT_W;
const WORDS: u32 = (WINDOWS + 3u) / 4u;
// parts/batch_norm/batch_norm_bias.wgsl
//! fills bias_of
//
// The bias of a channel.
@group(0) @binding(2) var<storage, read> bias: array<f32>;

fn bias_of(c: u32) -> f32 {
    return bias[c];
}
// parts/common/element_1.wgsl
//! fills Element
//
// An element is one number.
alias Element = f32;
alias Flag = bool;
alias Bits = u32;
alias Ints = i32;

fn element_sum(x: Element) -> f32 {
    return x;
}

fn bits_sum(x: Bits) -> u32 {
    return x;
}
// parts/common/element.wgsl
//! hole Element
//!     element_sum(x: Element) -> f32
//!     bits_sum(x: Bits) -> u32
//!     by element_1, element_4
//
// Elements that pass through an epilogue, one or four at a time: the type `Element`, and `Flag`, `Bits` and `Ints`
// of as many components. The plan knows which.
// parts/common/element_bits.wgsl
//! uses element
//
// Where an element may be NaN or infinite it is told by its bits: compilers may take it that no number is, so max,
// min, clamp and selections by comparisons alone may lose one.
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

// Zero of either sign.
fn is_zero(x: Element) -> Flag {
    return (bitcast<Bits>(x) & Bits(0x7fffffffu)) == Bits(0u);
}

// Neither zero, of either sign, nor NaN. Denormal numbers are above or below it, whatever else they count as.
fn is_above_zero(x: Element) -> Flag {
    return (bitcast<Bits>(x) - Bits(1u)) < Bits(0x7f800000u);
}

fn is_below_zero(x: Element) -> Flag {
    return (bitcast<Bits>(x) - Bits(0x80000001u)) < Bits(0x7f800000u);
}

// Zero or below it, and not NaN.
fn is_not_above_zero(x: Element) -> Flag {
    return (bitcast<Ints>(x) <= Ints(0)) & (bitcast<Bits>(x) <= Bits(0xff800000u));
}

// Denormal and above zero: its bits are its size in units of 2^-149. Drivers may count it as zero.
fn is_denormal(x: Element) -> Flag {
    return (bitcast<Bits>(x) - Bits(1u)) < Bits(0x007fffffu);
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
// parts/elementwise/activation_relu.wgsl
//! uses element_bits
//
// ReLU and its leaky relatives. Slopes at 0 are PyTorch's: 0 for ReLU, that of the negative side for the
// others; at NaN 1 for ReLU.
fn relu(x: Element) -> Element {
    return select(x, Element(0.0), is_below_zero(x));
}

fn relu_grad(y: Element, dy: Element) -> Element {
    return select(dy, Element(0.0), is_not_above_zero(y));
}

fn leaky_relu(x: Element, slope: f32) -> Element {
    return select(times(slope, x), x, is_above_zero(x));
}

// Of the input, or of the output where the slope is not negative: then their signs agree.
fn leaky_relu_grad(saved: Element, dy: Element, slope: f32) -> Element {
    return select(times(slope, dy), dy, is_above_zero(saved));
}

fn prelu(x: Element, weight: Element) -> Element {
    return select(weight * x, x, is_above_zero(x));
}

// By the weight: the sum of this.
fn prelu_grad_weight(x: Element, dy: Element) -> Element {
    return select(x * dy, Element(0.0), is_above_zero(x));
}

fn prelu_grad(x: Element, weight: Element, dy: Element) -> Element {
    return select(weight * dy, dy, is_above_zero(x));
}
// kernels/batch_norm/batch_norm_max_pool2d.wgsl
//! uses group, max_pool2d_goes_before, max_pool2d_taps
//! hole bias_of(c: u32) -> f32 { return 0.0; }
//!     by batch_norm_bias
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//! hole stored(value: f32) -> f32
//!     by the plan
//
// result = stored(largest of each 2x2 window of epilogue(batch norm of source)); taps say which one won, the first
// of equals, the last that is NaN (max_pool2d_taps). The normalised tensor is never written.
//
// Source (N, C, 2 OUT_H, 2 OUT_W), read as pairs, since a row of a window is one; result (N, C, OUT_H,
// OUT_W); statistics as batch_norm_finalize makes them. One invocation makes the windows of one word.
@group(0) @binding(0) var<storage, read> source: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read> statistics: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
@group(0) @binding(4) var<storage, read_write> taps: array<u32>;

const CHANNELS: u32 = 8u;
const PLANES: u32 = 512u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= PLANES * WORDS) {
        return;
    }
    let plane = i / WORDS;
    let line = statistics[plane % CHANNELS];
    let offset = bias_of(plane % CHANNELS);
    let first = i % WORDS * 4u;
    var word = 0u;
    for (var j = 0u; j < 4u; j++) {
        // Windows past the plane's last are those before it again, and are not stored.
        let o = min(first + j, WINDOWS - 1u);
        let at = plane * (2u * WINDOWS) + o + o / OUT_W * OUT_W;
        let upper = (source[at] - vec2(line.x) - vec2(line.y)) * line.w + vec2(offset);
        let lower = (source[at + OUT_W] - vec2(line.x) - vec2(line.y)) * line.w + vec2(offset);
        var best = epilogue(2u * at, upper.x);
        var tap = 0u;
        let candidates = vec3(
            epilogue(2u * at + 1u, upper.y),
            epilogue(2u * (at + OUT_W), lower.x),
            epilogue(2u * (at + OUT_W) + 1u, lower.y),
        );
        for (var k = 0u; k < 3u; k++) {
            let wins = goes_before(candidates[k], best);
            best = select(best, candidates[k], wins);
            tap = select(tap, k + 1u, wins);
        }
        if (first + j < WINDOWS) {
            result[plane * WINDOWS + o] = stored(best);
            word |= tap << (8u * j);
        }
    }
    taps[i] = word;
}
fn epilogue(at: u32, first: f32) -> f32 {
    var value = first;
    value = relu(value);
    return value;
}
fn stored(value: f32) -> f32 {
    return value;
}
