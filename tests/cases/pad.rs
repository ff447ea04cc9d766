//! Padding of any dimensions, with each kind of element.

use crate::harness::{Case, array, numbers};
use wgrad::HostTensor;
use wgrad::op::Reference;
use wgrad::ops::pad::{Pad, PadGrad, PadMode};

/// Padding, and its gradient where that is an operator of its own.
pub fn passes(name: &str, shape: &[usize], amounts: &[[usize; 2]], mode: PadMode) -> Vec<Case> {
    let forward = Pad { amounts: amounts.to_vec(), mode };
    let x = numbers(shape, 1);
    let name = format!("{name}, {mode:?}");
    let padded = forward.reference(&[&array(&x)]).remove(0).shape;
    let mut cases = vec![Case::new(name.clone(), forward.clone(), vec![x])];
    if !matches!(mode, PadMode::Constant(_)) {
        let gradient = PadGrad { forward, input: shape.into() };
        cases.push(Case::new(name, gradient, vec![numbers(padded, 2)]));
    }
    cases
}

/// What stands in the paddings: a number, or elements.
pub const ELEMENTS: [PadMode; 3] = [PadMode::Reflect, PadMode::Replicate, PadMode::Circular];

pub fn cases() -> Vec<Case> {
    let zeros = PadMode::Constant(0.0);
    let mut cases = Vec::new();
    let mut add = |name: &str, shape: &[usize], amounts: &[[usize; 2]], mode: PadMode| {
        cases.extend(passes(name, shape, amounts, mode));
    };
    add("a scalar, which has no sides", &[], &[], zeros);
    add("images, past a workgroup", &[2, 3, 7, 11], &[[1, 2], [3, 0]], zeros);
    add("columns in fours", &[3, 5, 8], &[[0, 0], [4, 8]], PadMode::Constant(-1.5));
    add("rows in fours", &[2, 3, 5, 4], &[[2, 1], [0, 0]], PadMode::Constant(f32::NEG_INFINITY));
    add("six dimensions", &[2, 1, 3, 2, 1, 2], &[[1, 0], [0, 2], [1, 1], [2, 0], [0, 1], [1, 2]], zeros);
    for mode in ELEMENTS {
        // The most that each side can be.
        let most = if mode == PadMode::Reflect { 4 } else { 5 };
        add("the most on each side", &[2, 5], &[[most, most]], mode);
        add("images, past a workgroup", &[2, 3, 7, 6], &[[1, 2], [3, 0]], mode);
        add("rows in fours", &[3, 5, 8], &[[2, 1], [0, 0]], mode);
        let amounts = [[1, 0], [0, 1], [1, 1], [1, 0], [0, 1], [1, 1]];
        add("six dimensions", &[2, 2, 3, 2, 2, 2], &amounts, mode);
    }
    add("one element each way", &[1, 1], &[[2, 3], [1, 0]], PadMode::Replicate);
    add("one element each way", &[1, 1], &[[1, 1], [1, 0]], PadMode::Circular);
    add("many copies of an element", &[1, 3], &[[70, 0], [0, 9]], PadMode::Replicate);
    add("too many copies for one invocation", &[2, 1, 3], &[[180, 0], [90, 91], [0, 2]], PadMode::Replicate);
    add("too many copies for one invocation, in fours", &[2, 4], &[[33_000, 0], [0, 0]], PadMode::Replicate);
    cases
}

/// A convolution's padding of a large image, and of channels in fours.
pub fn large() -> Vec<Case> {
    let mut cases = Vec::new();
    for mode in [PadMode::Constant(0.0), PadMode::Reflect, PadMode::Replicate, PadMode::Circular] {
        cases.extend(passes("16x64x56x56", &[16, 64, 56, 56], &[[1, 1], [1, 1]], mode));
    }
    let tokens: HostTensor = numbers([32, 197, 192], 1);
    let forward = Pad { amounts: vec![[1, 0], [0, 0]], mode: PadMode::Constant(0.0) };
    cases.push(Case::new("32x197x192, rows", forward, vec![tokens]));
    cases
}
