//! Resampling and its gradients.

use crate::harness::{Case, numbers};
use wgrad::TensorType;
use wgrad::op::Operator;
use wgrad::ops::upsample::{Interpolation, Resize, Upsample, Upsample2d, Upsample2dGrad};

const NEAREST: Interpolation = Interpolation::Nearest;
const SQUARES: Interpolation = Interpolation::Bilinear { align_corners: false };
const CORNERS: Interpolation = Interpolation::Bilinear { align_corners: true };

/// Forward and backward of one way.
pub fn passes(name: &str, resize: Resize, interpolation: Interpolation, input: [usize; 4]) -> Vec<Case> {
    let upsample = Upsample { resize, interpolation };
    let forward = Upsample2d(upsample);
    let output =
        forward.infer(&[&TensorType::f32(input)]).unwrap_or_else(|e| panic!("{name}: {e}")).remove(0);
    let backward = Upsample2dGrad { upsample, input: input.into() };
    vec![
        Case::new(name, forward, vec![numbers(input, 1)]),
        Case::new(name, backward, vec![numbers(output.shape, 2)]),
    ]
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, resize, input) in [
        ("one element to many", Resize::Size([3, 5]), [1, 2, 1, 1]),
        ("many to one element", Resize::Size([1, 1]), [1, 2, 4, 5]),
        ("twice as large", Resize::ScaleFactor([2.0, 2.0]), [2, 3, 5, 7]),
        ("the same size", Resize::Size([4, 3]), [1, 1, 4, 3]),
        ("primes to larger primes", Resize::Size([13, 17]), [2, 1, 7, 11]),
        ("smaller, with elements in no output", Resize::Size([3, 4]), [1, 3, 11, 13]),
        ("one dimension up, one down", Resize::Size([19, 2]), [1, 2, 4, 9]),
        ("factors that divide nothing", Resize::ScaleFactor([1.7, 2.6]), [1, 2, 7, 5]),
        ("factors below one", Resize::ScaleFactor([0.4, 0.9]), [1, 2, 13, 7]),
        ("lines", Resize::Size([1, 33]), [1, 2, 1, 10]),
    ] {
        for interpolation in [NEAREST, SQUARES, CORNERS] {
            cases.extend(passes(name, resize, interpolation, input));
        }
    }
    // More outputs of an element than one invocation's loops may go over, in planes and along lines.
    for interpolation in [NEAREST, SQUARES, CORNERS] {
        cases.extend(passes(
            "few elements in many outputs",
            Resize::Size([370, 181]),
            interpolation,
            [1, 2, 3, 1],
        ));
    }
    cases.extend(passes("a line in 40,000 outputs", Resize::Size([1, 40_001]), SQUARES, [1, 1, 1, 2]));
    cases
}

/// The last steps of a feature pyramid and of a U-Net.
pub fn large() -> Vec<Case> {
    let mut cases = Vec::new();
    for interpolation in [NEAREST, SQUARES] {
        for (name, input) in
            [("8x64x28x28, twice", [8, 64, 28, 28]), ("1x64x128x128, twice", [1, 64, 128, 128])]
        {
            cases.extend(passes(name, Resize::ScaleFactor([2.0, 2.0]), interpolation, input));
        }
    }
    cases
}
