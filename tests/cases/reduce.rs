//! Reductions over axes, and the operators behind the gradients of the largest and the smallest.

use crate::harness::{Case, array, edges, floats, numbers};
use wgrad::op::{Operator, Reference};
use wgrad::ops::reduce::{Axes, EqualCount, ExtremumShare, Function, Reduce, Variance};
use wgrad::{HostData, HostTensor};

/// One reduction of each kind, and of each kind of gradient.
pub fn family(name: &str, x: &HostTensor, axes: &[usize], keepdim: bool) -> Vec<Case> {
    let axes = Axes { axes: axes.to_vec(), keepdim };
    let mut cases = Vec::new();
    for function in [Function::Sum, Function::Mean, Function::Max, Function::Min] {
        cases.push(Case::new(name, Reduce { function, axes: axes.clone() }, vec![x.clone()]));
    }
    for correction in [0, 1] {
        let variance = Variance { axes: axes.clone(), correction };
        if variance.infer(&[&x.ty()]).is_ok() {
            cases.push(Case::new(name, variance, vec![x.clone()]));
        }
    }
    cases.extend(shares(name, x, &axes.axes));
    cases
}

/// The gradient of the largest, with few distinct numbers, so that several equal it.
fn shares(name: &str, x: &HostTensor, axes: &[usize]) -> [Case; 2] {
    let rounded =
        |array: wgrad::op::Array| floats(array.shape, array.data.iter().map(|&x| x as f32).collect());
    let x = rounded(array(x).map(|x| (4.0 * x).round()));
    let forward = Reduce { function: Function::Max, axes: Axes { axes: axes.to_vec(), keepdim: true } };
    let y = forward.reference(&[&array(&x)]).remove(0);
    let count = rounded(EqualCount.reference(&[&array(&x), &y]).remove(0));
    let (y, dy) = (rounded(y), numbers(count.shape.clone(), 5));
    [
        Case::new(name, EqualCount, vec![x.clone(), y.clone()]),
        Case::new(name, ExtremumShare, vec![x, y, count, dy]),
    ]
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, shape: &[usize], axes: &[usize], keepdim: bool| {
        let family = family(name, &numbers(shape, 3), axes, keepdim);
        cases.extend(family.into_iter().map(|case| case.by_edges(edges::SHOWN)));
    };
    add("a scalar", &[], &[], false);
    add("rows, odd, in parts", &[513, 3], &[0], false);
    add("rows in fours, of a batch", &[2, 131, 8], &[1], true);
    add("rows of a batch in parts", &[3, 1031, 2], &[1], false);
    add("all but channels", &[3, 5, 7, 2], &[0, 3, 2], true);
    add("planes in fours", &[37, 3, 6, 6], &[2, 3], false);
    add("alternate dimensions", &[2, 3, 2, 5, 2, 7], &[1, 3, 5], false);
    add("everything, in parts", &[257, 67], &[], false);
    // More terms than a workgroup goes over by itself.
    let long = numbers([2_100_001], 3);
    let whole = |function| Reduce { function, axes: Axes { axes: vec![0], keepdim: false } };
    for function in [Function::Sum, Function::Max] {
        cases.push(Case::new("a long row", whole(function), vec![long.clone()]));
    }
    let variance = Variance { axes: Axes { axes: vec![0], keepdim: false }, correction: 1 };
    cases.push(Case::new("a long row", variance, vec![long.clone()]));
    cases.extend(shares("a long row", &long, &[0]).into_iter().take(1));
    // Everything below zero, or above: a reduction that begins at zero would show.
    for (name, sign) in [("below zero", -1.0), ("above zero", 1.0)] {
        let x = numbers([5, 67], 7);
        let data: Vec<f32> = x.to_f64().iter().map(|&x| (sign * (x + 1.5)) as f32).collect();
        for function in [Function::Max, Function::Min] {
            let axes = Axes { axes: vec![1], keepdim: false };
            cases.push(Case::new(name, Reduce { function, axes }, vec![floats([5, 67], data.clone())]));
        }
    }
    let (most, inf) = (f32::MAX, f32::INFINITY);
    let extremes = floats([2, 4], vec![inf, -inf, most, -most, -inf, -inf, -inf, -inf]);
    for function in [Function::Max, Function::Min] {
        for axis in [0, 1] {
            let axes = Axes { axes: vec![axis], keepdim: false };
            cases.push(Case::new("extremes", Reduce { function, axes }, vec![extremes.clone()]));
        }
    }
    let mut invalid = numbers([2, 70], 8);
    if let HostData::F32(data) = &mut invalid.data {
        (data[3], data[75], data[138]) = (f32::NAN, f32::NAN, inf);
    }
    for function in [Function::Max, Function::Min] {
        for axis in [0, 1] {
            let axes = Axes { axes: vec![axis], keepdim: false };
            cases.push(Case::new("extremes and NaN", Reduce { function, axes }, vec![invalid.clone()]));
        }
    }
    // A mean a million times the deviations, which f32 still tells apart.
    for (name, shape, axes) in [("rows", [1031, 6], 0), ("a row each", [6, 1031], 1)] {
        let mut x = numbers(shape, 9);
        if let HostData::F32(data) = &mut x.data {
            data.iter_mut().for_each(|x| *x = 1e6 + (8.0 * *x).round() / 8.0);
        }
        let axes = Axes { axes: vec![axes], keepdim: false };
        cases.push(Case::new(format!("a large mean, {name}"), Variance { axes, correction: 1 }, vec![x]));
    }
    cases
}

/// Images to channels and to pixels, a loss.
pub fn large() -> Vec<Case> {
    let x = numbers([64, 32, 14, 14], 3);
    let mut cases = family("64x32x14x14 over pixels", &x, &[2, 3], false);
    for (name, axes) in [("over channels", vec![1]), ("over images", vec![0]), ("over everything", vec![])] {
        let name = format!("64x32x14x14 {name}");
        for function in [Function::Mean, Function::Max] {
            let axes = Axes { axes: axes.clone(), keepdim: true };
            cases.push(Case::new(name.clone(), Reduce { function, axes }, vec![x.clone()]));
        }
    }
    cases
}
