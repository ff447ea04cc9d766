//! uses element
//! fills made
//
// lines[r] = (m, below, maximal, gap) of the scores x[r] of a row: the largest; the sum of exp(x - m) over the classes
// below it, and how many reach it; the sum of (m - x) times the class's weight, of any contents without smoothing.
// All were reduced before.
@group(0) @binding(0) var<storage, read> maxima: array<f32>;
@group(0) @binding(1) var<storage, read> below: array<f32>;
@group(0) @binding(2) var<storage, read> maximal: array<f32>;
@group(0) @binding(3) var<storage, read> gaps: array<f32>;

fn made(row: u32) -> Element {
    return vec4(maxima[row], below[row], maximal[row], gaps[row]);
}
