// parts/common/group.wgsl
// The workgroup's number where the plan folded a long row of workgroups into x, y and z.
fn group_number(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + groups.x * (group.y + groups.y * group.z);
}
// parts/conv2d/conv2d_shape.wgsl
// The shape of a convolution (cross-correlation): input (IMAGES, GROUPS IN, H, W), weight
// (GROUPS OUT, IN, KH, KW), output (IMAGES, GROUPS OUT, OH, OW), all row-major. IN and OUT count
// the channels of one group. Stride S, padding P and dilation D are given per axis.
const IMAGES: u32 = 1u;
const GROUPS: u32 = 32u;
const IN: u32 = 1u;
const OUT: u32 = 1u;
const H: u32 = 112u;
const W: u32 = 112u;
const OH: u32 = 112u;
const OW: u32 = 112u;
const KH: u32 = 3u;
const KW: u32 = 3u;
const SH: u32 = 1u;
const SW: u32 = 1u;
const PH: i32 = i32(1);
const PW: i32 = i32(1);
const DH: u32 = 1u;
const DW: u32 = 1u;

// A place in the plane of an image that a window starts from.
struct Pixel {
    image: u32,
    h: i32,
    w: i32,
}

// One weight's place: channel and offset within the window.
struct Tap {
    channel: u32,
    h: u32,
    w: u32,
}

fn tap_of(k: u32) -> Tap {
    return Tap(k / (KH * KW), k / KW % KH, k % KW);
}
// parts/conv2d/conv2d_correlation.wgsl
//! uses conv2d_shape
//
// What a convolution's output and the gradient of its input have in common. Both are correlations:
// result p of an axis is the sum over taps k of weight k times source (p S + k D - P) / U, over those
// k for which U divides. Forward, the source is the input, S the stride and U = 1. For the gradient
// of the input, the source is the output's gradient, S = 1, U the stride, and the window is turned
// by half a turn (FLIP): no multiplication by the zeros between strides, whatever the phase of p.
//
// Sizes stand in conv2d_shape with results in the place of the output and sources in the
// place of the input. Tiles of results start LEAD before a multiple of their size, where U divides
// p S - P, so that within a tile it is known at compile time which taps meet a source.
const UH: u32 = 1u;
const UW: u32 = 1u;
const LEAD_H: u32 = 0u;
const LEAD_W: u32 = 0u;
const FLIP: bool = false;

// Place of a weight, seen from results and sources.
fn weight_place(z: u32, m: u32, c: u32, kh: u32, kw: u32) -> u32 {
    if (FLIP) {
        return (((z * IN + c) * OUT + m) * KH + (KH - 1u - kh)) * KW + (KW - 1u - kw);
    }
    return (((z * OUT + m) * IN + c) * KH + kh) * KW + kw;
}
// parts/conv2d/conv2d_row_vec4.wgsl
//! fills load_row
//
// A stretch of a source row, four elements at a time, for rows divisible by 4 and tiles that all
// start SHIFT past a multiple of 4. What lies in the padding is zero.
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;

const SHIFT: u32 = 3u;
const VECTORS: u32 = (SHIFT + SPAN + 3u) / 4u;

var<private> vectors: array<vec4<f32>, VECTORS>;

fn load_row(line: u32, first_w: i32) {
    for (var v = 0u; v < VECTORS; v++) {
        let w = first_w - i32(SHIFT) + i32(v * 4u);
        let at = (line + u32(clamp(w, 0, i32(W) - 4))) / 4u;
        vectors[v] = select(vec4<f32>(), input[at], w >= 0 && w < i32(W));
    }
    for (var j = 0u; j < SPAN; j++) {
        row[j] = vectors[(j + SHIFT) / 4u][(j + SHIFT) % 4u];
    }
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
// parts/elementwise/batch_norm_eval.wgsl
//! uses element
//
// Batch normalisation by running statistics, which are constants: with and without weight and bias, and the
// gradient of x.
fn batch_norm_eval(x: Element, weight: Element, bias: Element, mean: Element, variance: Element, epsilon: f32) -> Element {
    return (x - mean) * (weight * inverseSqrt(variance + epsilon)) + bias;
}

fn batch_norm_eval_plain(x: Element, mean: Element, variance: Element, epsilon: f32) -> Element {
    return (x - mean) * inverseSqrt(variance + epsilon);
}

fn batch_norm_eval_grad(gradient: Element, weight: Element, variance: Element, epsilon: f32) -> Element {
    return gradient * (weight * inverseSqrt(variance + epsilon));
}

fn batch_norm_eval_grad_plain(gradient: Element, variance: Element, epsilon: f32) -> Element {
    return gradient * inverseSqrt(variance + epsilon);
}
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
// parts/elementwise/activation_hard.wgsl
//! uses element_bits
//
// Activations of straight pieces. Slopes at the corners are PyTorch's: those of the flat side for the
// hard sigmoid and tanh, those of the outer sides for the hard swish.

// (x + 3) / 6 between 0 and 1; the upper half from above, so that it is 1 for no x below 3. Near both ends the sum
// cancels exactly. The maximum keeps a compiler from dividing its terms instead.
fn hard_sigmoid(x: Element) -> Element {
    let rising = max(x + 3.0, Element(0.0)) / 6.0;
    let missing = max(3.0 - x, Element(0.0)) / 6.0;
    return keep_nan(x, select(rising, 1.0 - missing, x > Element(0.0)));
}

fn hard_sigmoid_grad(y: Element, dy: Element) -> Element {
    return select(Element(0.0), dy / 6.0, is_above_zero(y) & (y < Element(1.0)));
}

fn hard_swish(x: Element) -> Element {
    let y = max(x, Element(-3.0)) * hard_sigmoid(x);
    // PyTorch multiplies minus infinity by 0.
    return select(keep_nan(x, y), no_number(), is_minus_infinity(x));
}

fn hard_swish_grad(x: Element, dy: Element) -> Element {
    let inner = dy * (x / 3.0 + 0.5);
    return keep_nan(x, select(select(inner, Element(0.0), x <= Element(-3.0)), dy, x >= Element(3.0)));
}

fn hard_tanh(x: Element, low: f32, high: f32) -> Element {
    return keep_nan(x, min(max(x, Element(low)), Element(high)));
}

fn hard_tanh_grad(y: Element, dy: Element, low: f32, high: f32) -> Element {
    return select(Element(0.0), dy, (y > Element(low)) & (y < Element(high)) & !is_nan_element(y));
}
// kernels/conv2d/conv2d_depthwise.wgsl
//! uses group, conv2d_correlation
//! hole load_row(line: u32, first_w: i32)
//!     by conv2d_row, conv2d_row_vec4
//! hole add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> { return values; }
//!     by gemm_bias_rows
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// Output of a depthwise convolution, or the gradient of its input; see conv2d_correlation.
//
// An invocation makes TILE_H x TILE_W results of one channel. It reads the rows of sources that these
// need once, for all taps. The sum runs over source channels (one forward, the multiplier backward),
// kh and kw in order. Neighbours lie side by side along a row of tiles.
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const TILE_H: u32 = 2u;
const TILE_W: u32 = 4u;

const ROWS: u32 = ((TILE_H - 1u) * SH + (KH - 1u) * DH) / UH + 1u;
const SPAN: u32 = ((TILE_W - 1u) * SW + (KW - 1u) * DW) / UW + 1u;

var<private> row: array<f32, SPAN>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const TILES_H = (OH + LEAD_H + TILE_H - 1u) / TILE_H;
    const TILES_W = (OW + LEAD_W + TILE_W - 1u) / TILE_W;
    let i = group_number(group, groups) * 64u + lane;
    if (i >= IMAGES * GROUPS * OUT * TILES_H * TILES_W) {
        return;
    }
    let ow = i32(i % TILES_W * TILE_W) - i32(LEAD_W);
    let oh = i32(i / TILES_W % TILES_H * TILE_H) - i32(LEAD_H);
    let plane = i / (TILES_W * TILES_H);
    let m = plane % OUT;
    let z = plane / OUT % GROUPS;
    let image = plane / (OUT * GROUPS);
    let first_h = (oh * i32(SH) - PH) / i32(UH);
    let first_w = (ow * i32(SW) - PW) / i32(UW);

    var sums: array<array<f32, TILE_W>, TILE_H>;
    var rows: array<array<f32, SPAN>, ROWS>;
    var taps: array<array<f32, KW>, KH>;
    for (var c = 0u; c < IN; c++) {
        let source = ((image * GROUPS + z) * IN + c) * (H * W);
        for (var r = 0u; r < ROWS; r++) {
            let h = first_h + i32(r);
            let inside = h >= 0 && h < i32(H);
            // A row in the padding is read where all of it is padding.
            load_row(source + u32(clamp(h, 0, i32(H) - 1)) * W, select(-i32(SPAN + W), first_w, inside));
            rows[r] = row;
        }
        for (var kh = 0u; kh < KH; kh++) {
            for (var kw = 0u; kw < KW; kw++) {
                taps[kh][kw] = weight[weight_place(z, m, c, kh, kw)];
            }
        }
        for (var r = 0u; r < TILE_H; r++) {
            for (var t = 0u; t < TILE_W; t++) {
                var sum = sums[r][t];
                for (var kh = 0u; kh < KH; kh++) {
                    for (var kw = 0u; kw < KW; kw++) {
                        if ((r * SH + kh * DH) % UH == 0u && (t * SW + kw * DW) % UW == 0u) {
                            sum = fma(rows[(r * SH + kh * DH) / UH][(t * SW + kw * DW) / UW], taps[kh][kw], sum);
                        }
                    }
                }
                sums[r][t] = sum;
            }
        }
    }
    let channel = z * OUT + m;
    for (var r = 0u; r < TILE_H; r++) {
        for (var t = 0u; t < TILE_W; t++) {
            let h = oh + i32(r);
            let w = ow + i32(t);
            if (h >= 0 && h < i32(OH) && w >= 0 && w < i32(OW)) {
                let at = (plane * OH + u32(h)) * OW + u32(w);
                result[at] = epilogue(at, add_bias(vec4(sums[r][t]), channel, 0u).x);
            }
        }
    }
}
@group(0) @binding(32) var<storage, read> operand_0: array<f32>;
@group(0) @binding(33) var<storage, read> operand_1: array<f32>;
@group(0) @binding(34) var<storage, read> operand_2: array<f32>;
@group(0) @binding(35) var<storage, read> operand_3: array<f32>;
fn epilogue(at: u32, first: f32) -> f32 {
    var value = first;
    value = batch_norm_eval(value, f32(operand_0[at / 12544u % 32u]), f32(operand_1[at / 12544u % 32u]), f32(operand_2[at / 12544u % 32u]), f32(operand_3[at / 12544u % 32u]), 9.999999747378752e-6f);
    value = hard_tanh(value, 0.0f, 6.0f);
    return value;
}
fn add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> {
    return values;
}
