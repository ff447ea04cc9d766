//! Dropout and its mask.

use crate::harness::{Case, numbers};
use wgrad::ops::dropout::{Dropout, DropoutMask, Unit};
use wgrad::{HostData, HostTensor, Shape};

fn step(number: u32) -> HostTensor {
    HostTensor { shape: Shape::scalar(), data: HostData::U32(vec![number]) }
}

/// A dropout in the step of this number, and its mask.
pub fn pair(name: &str, dropout: Dropout, shape: &[usize], number: u32) -> [Case; 2] {
    [
        Case::new(name, dropout, vec![numbers(shape, 3), step(number)]),
        Case::new(name, DropoutMask { dropout, shape: shape.into() }, vec![step(number)]),
    ]
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let plain = Dropout { p: 0.5, of: Unit::Element, seed: 1, node: 0 };
    let mut add = |name: &str, dropout: Dropout, shape: &[usize], number: u32| {
        cases.extend(pair(name, dropout, shape, number));
    };
    add("one element", plain, &[1], 0);
    add("two of four", plain, &[2], 0);
    add("a scalar", plain, &[], 0);
    add("four and three", plain, &[7], 0);
    add("one workgroup", plain, &[4, 64], 0);
    add("one element past a workgroup", plain, &[257], 0);
    add("four elements past a workgroup", plain, &[2, 2, 65], 0);
    add("primes", Dropout { p: 0.2, ..plain }, &[3, 37, 11], 5);
    add("the seed's high word", Dropout { seed: 0xdead_beef_0bad_cafe, ..plain }, &[40], 1);
    add("the largest words", Dropout { seed: u64::MAX, node: u32::MAX, ..plain }, &[40], u32::MAX - 1);
    add("hardly any kept", Dropout { p: 0.999, ..plain }, &[64, 64], 2);
    add("a probability below the words' step", Dropout { p: 1.0 - 1e-12, ..plain }, &[40], 2);
    add("hardly any dropped", Dropout { p: 0.001, node: 3, ..plain }, &[64, 64], 2);
    add("the least probability above zero", Dropout { p: f64::from(f32::EPSILON / 2.0), ..plain }, &[40], 2);
    let channels = Dropout { of: Unit::Channel, ..plain };
    add("channels of fours", channels, &[3, 5, 4, 6], 1);
    add("channels that fours straddle", channels, &[4, 3, 3, 3], 1);
    add("channels of a prime, a prime of them", channels, &[1, 7, 13], 1);
    add("channels of one element", Dropout { p: 0.2, ..channels }, &[37, 11], 1);
    let samples = Dropout { of: Unit::Sample, ..plain };
    add("samples of fours", samples, &[5, 2, 4, 6], 1);
    add("samples that fours straddle", samples, &[7, 3, 5], 1);
    add("samples of one element", Dropout { p: 0.2, ..samples }, &[37], 1);
    cases
}

/// The input and a hidden layer of the seed network.
pub fn large() -> Vec<Case> {
    let dropout = Dropout { p: 0.5, of: Unit::Element, seed: 1, node: 0 };
    let channels = Dropout { of: Unit::Channel, ..dropout };
    vec![
        Case::new("64x600", dropout, vec![numbers([64, 600], 1), step(1)]),
        Case::new("64x32x14x14", dropout, vec![numbers([64, 32, 14, 14], 1), step(1)]),
        Case::new("64x32x14x14, channels", channels, vec![numbers([64, 32, 14, 14], 1), step(1)]),
    ]
}
