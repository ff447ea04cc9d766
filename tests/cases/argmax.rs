//! Argmax and argmin along axes.

use crate::harness::{Case, array, floats, numbers};
use wgrad::ops::argmax::ArgMax;

/// The largest and the smallest, of numbers of which many are equal.
pub fn pair(name: &str, shape: &[usize], axis: usize) -> [Case; 2] {
    let rounded = array(&numbers(shape, 1)).map(|x| (4.0 * x).round());
    let x = floats(shape, rounded.data.iter().map(|&x| x as f32).collect());
    [false, true]
        .map(|smallest| Case::new(name, ArgMax { axis, keepdim: smallest, smallest }, vec![x.clone()]))
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(pair("one term", &[3, 1], 1));
    cases.extend(pair("one row, a team", &[307], 0));
    cases.extend(pair("digits, rows past a workgroup", &[131, 10], 1));
    cases.extend(pair("fewer terms than lanes in a team", &[5, 33], 1));
    cases.extend(pair("channels of images", &[2, 21, 5, 3], 1));
    cases.extend(pair("the first axis, a team a row", &[67, 5], 0));
    cases.extend(pair("many rows side by side", &[2, 37, 32, 33], 1));
    cases.extend(pair("a row too long for a team", &[2_100_001], 0));
    cases.extend(pair("rows too long for teams, side by side", &[2_097_000, 2], 0));
    let inf = f32::INFINITY;
    let extremes = vec![-inf, -inf, inf, inf, f32::MAX, inf, -inf, f32::MIN];
    for smallest in [false, true] {
        let x = floats([2, 4], extremes.clone());
        cases.push(Case::new("extremes", ArgMax { axis: 1, keepdim: false, smallest }, vec![x]));
    }
    cases
}

/// A thousand classes, and the classes of pixels.
pub fn large() -> Vec<Case> {
    let [classes, _] = pair("256x1000", &[256, 1000], 1);
    let [pixels, _] = pair("8x21x64x64, channels", &[8, 21, 64, 64], 1);
    vec![classes, pixels]
}
