//! uses element
//! fills made
//! hole augment_pixel(i: u32) -> f32
//!     by augment_floats, augment_bytes
//! hole augment_contrast(color: vec3<f32>, n: u32, factor: f32) -> vec3<f32> { return color; }
//!     by augment_contrast
//
// y[n,c,oy,ox]: the input bilinear at the place that row n of the parameters maps the pixel to; then brightness,
// contrast, saturation, hue, each clamped to 0..1; then (y - mean[c]) * scale[c]; then the erased rectangle. With GRAY
// it is y[n,oy,ox], the grey value after brightness; contrast needs its mean. Layouts NCHW.
//
// One invocation makes one element. Where colours mix, it makes all three and keeps its own.
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> channels: array<f32>;

const C: u32 = 3u; // shape
const IN_H: i32 = 8; // shape
const IN_W: i32 = 8; // shape
const OUT_H: u32 = 8u; // shape
const OUT_W: u32 = 8u; // shape
const BORDER: u32 = 0u; // shape
const GRAY: bool = false; // shape
const MIXES: bool = false; // shape
const BRIGHTNESS: bool = false; // shape
const SATURATION: bool = false; // shape
const HUE: bool = false; // shape
const ERASED: f32 = 0.0; // shape

// An index that may lie outside, moved inside as BORDER says: zeros (none is), reflected, the nearest.
fn inside(i: i32, size: i32) -> i32 {
    if (BORDER == 1u && size > 1) {
        let period = 2 * size - 2;
        let within = abs(i) % period;
        return min(within, period - within);
    }
    return clamp(i, 0, size - 1);
}

fn tap(plane: u32, y: i32, x: i32) -> f32 {
    let out = y < 0 || y >= IN_H || x < 0 || x >= IN_W;
    if (BORDER == 0u && out) {
        return 0.0;
    }
    return augment_pixel(plane * u32(IN_H * IN_W) + u32(inside(y, IN_H) * IN_W + inside(x, IN_W)));
}

// A share of zero leaves the first as it is, whatever the second is.
fn mixed(first: f32, second: f32, share: f32) -> f32 {
    if (share == 0.0) {
        return first;
    }
    return (1.0 - share) * first + share * second;
}

fn sampled(plane: u32, place: vec2<f32>) -> f32 {
    let low = floor(place);
    let share = place - low;
    let x = i32(low.x);
    let y = i32(low.y);
    let above = mixed(tap(plane, y, x), tap(plane, y, x + 1), share.x);
    if (share.y == 0.0) {
        return above;
    }
    return mixed(above, mixed(tap(plane, y + 1, x), tap(plane, y + 1, x + 1), share.x), share.y);
}

fn gray_of(color: vec3<f32>) -> f32 {
    if (C == 1u) {
        return color.x;
    }
    return dot(color, vec3(0.2989, 0.587, 0.114));
}

fn unit_range(color: vec3<f32>) -> vec3<f32> {
    return clamp(color, vec3(0.0), vec3(1.0));
}

// The colour with its hue shifted by a share of the circle.
fn shifted(color: vec3<f32>, turns: f32) -> vec3<f32> {
    let most = max(color.x, max(color.y, color.z));
    let chroma = most - min(color.x, min(color.y, color.z));
    if (chroma == 0.0) {
        return color;
    }
    var sextant = (color.x - color.y) / chroma + 4.0;
    if (most == color.x) {
        sextant = (color.y - color.z) / chroma;
    } else if (most == color.y) {
        sextant = (color.z - color.x) / chroma + 2.0;
    }
    let k = vec3(5.0, 3.0, 1.0) + sextant + 6.0 * turns;
    let around = k - 6.0 * floor(k / 6.0);
    return vec3(most) - chroma * clamp(min(around, 4.0 - around), vec3(0.0), vec3(1.0));
}

fn made(i: u32) -> Element {
    let ox = i % OUT_W;
    let oy = i / OUT_W % OUT_H;
    let plane = i / (OUT_W * OUT_H);
    let n = select(plane / C, plane, GRAY);
    let c = select(plane % C, 0u, GRAY);
    let row = 16u * n;
    let x = f32(ox) + 0.5 - 0.5 * f32(OUT_W);
    let y = f32(oy) + 0.5 - 0.5 * f32(OUT_H);
    let place = vec2(
        parameters[row] * x + parameters[row + 1u] * y + parameters[row + 2u],
        parameters[row + 3u] * x + parameters[row + 4u] * y + parameters[row + 5u]
    );
    var color = vec3(0.0);
    if (MIXES) {
        color = vec3(sampled(3u * n, place), sampled(3u * n + 1u, place), sampled(3u * n + 2u, place));
    } else {
        color = vec3(sampled(n * C + c, place));
    }
    if (BRIGHTNESS) {
        color = unit_range(parameters[row + 6u] * color);
    }
    if (GRAY) {
        return gray_of(color);
    }
    color = augment_contrast(color, n, parameters[row + 7u]);
    if (SATURATION) {
        let factor = parameters[row + 8u];
        color = unit_range(factor * color + (1.0 - factor) * gray_of(color));
    }
    if (HUE) {
        color = shifted(color, parameters[row + 9u]);
    }
    var value = color.x;
    if (MIXES) {
        value = color[c];
    }
    let down = f32(oy) - parameters[row + 10u];
    let right = f32(ox) - parameters[row + 11u];
    if (down >= 0.0 && down < parameters[row + 12u] && right >= 0.0 && right < parameters[row + 13u]) {
        return ERASED;
    }
    return (value - channels[c]) * channels[C + c];
}
