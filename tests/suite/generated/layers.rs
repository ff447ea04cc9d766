//! Pooling, resampling and normalisation of generated shapes.

use super::{Generator, check};
use crate::cases;
use crate::harness::{numbers, sweep};
use wgrad::TensorType;
use wgrad::op::Operator;
use wgrad::ops::batch_norm::BatchNorm;
use wgrad::ops::local_response_norm::LocalResponseNorm;
use wgrad::ops::pool2d::{MaxPool2d, Pool2d, Weighting, Windows};
use wgrad::ops::row_norm::RowNorm;
use wgrad::ops::unary::Unary;
use wgrad::ops::upsample::{Interpolation, Resize, Upsample};

#[test]
fn poolings_of_generated_shapes() {
    let mut generator = Generator::new(4);
    let mut cases = Vec::new();
    while cases.len() < 6 * sweep::count(5, 20) {
        let kernel = generator.pair(4);
        let padding = kernel.map(|k| generator.size(k / 2 + 1) - 1);
        let pool =
            Pool2d::new(kernel).stride(generator.pair(4)).padding(padding).ceil_mode(generator.size(2) == 1);
        let input = [generator.edge(3), generator.edge(5), generator.edge(13), generator.edge(17)];
        let kind = TensorType::f32(input);
        if MaxPool2d(pool.into()).infer(&[&kind]).is_err() {
            continue;
        }
        cases.extend(cases::pool2d::passes(&format!("input {input:?} {pool:?}"), pool, input));
    }
    check(&cases);
}

#[test]
fn resamplings_of_generated_shapes() {
    let mut generator = Generator::new(21);
    let mut cases = Vec::new();
    while cases.len() < 2 * sweep::count(10, 40) {
        // Where many outputs give to a single element, they may cancel by chance.
        let input = [generator.edge(3), 1 + generator.edge(3), generator.edge(13), generator.edge(40)];
        let resize = match generator.size(2) {
            1 => Resize::Size([generator.edge(30), generator.edge(40)]),
            _ => Resize::ScaleFactor(
                [generator.size(30), generator.size(30)].map(|tenths| tenths as f64 / 10.0),
            ),
        };
        let align_corners = generator.size(2) == 1;
        let interpolation =
            [Interpolation::Nearest, Interpolation::Bilinear { align_corners }][generator.size(2) - 1];
        if (Upsample { resize, interpolation }).output_size([input[2], input[3]]).is_err() {
            continue;
        }
        let name = format!("{input:?} by {resize:?}, {interpolation:?}");
        cases.extend(cases::upsample::passes(&name, resize, interpolation, input));
    }
    check(&cases);
}

#[test]
fn kinds_of_pooling_of_generated_shapes() {
    let mut generator = Generator::new(20);
    let mut cases = Vec::new();
    while cases.len() < 10 * sweep::count(3, 10) {
        let kernel = generator.pair(4);
        let pool = Pool2d::new(kernel).stride(generator.pair(3)).ceil_mode(generator.size(2) == 1);
        let padded = pool
            .padding(kernel.map(|k| generator.size(k / 2 + 1) - 1))
            .count_include_pad(generator.size(2) == 1);
        let input = [generator.edge(3), generator.edge(3), generator.edge(13), generator.edge(17)];
        let kind = TensorType::f32(input);
        if MaxPool2d(pool.into()).infer(&[&kind]).is_err() {
            continue;
        }
        let windows = Windows::Adaptive([generator.edge(9), generator.edge(20)]);
        let p = [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 9.0][generator.size(7) - 1];
        let name = format!("input {input:?} {padded:?}, p of {p}, {windows:?}");
        cases.extend(cases::pool2d::average(&name, padded.into(), Weighting::Distance, input));
        cases.extend(cases::pool2d::norm(&name, p, pool, input));
        cases.extend(cases::pool2d::max(&name, windows, input));
        cases.extend(cases::pool2d::unpool(&name, padded, input, [input[2], input[3]]));
        cases.extend(cases::pool2d::average(&name, windows, Weighting::Equal, input));
    }
    check(&cases);
}

#[test]
fn normalisations_of_generated_shapes() {
    let mut generator = Generator::new(5);
    let mut cases = Vec::new();
    while cases.len() < 4 * sweep::count(5, 20) {
        let mut shape = vec![2 + generator.edge(40), generator.edge(20)];
        if generator.size(3) > 1 {
            shape.extend([generator.edge(9), generator.edge(12)]);
        }
        // Few values in a channel cancel in the gradient; the family's own cases have them.
        if shape.iter().product::<usize>() / shape[1] < 5 {
            continue;
        }
        let name = format!("{shape:?}");
        cases.extend(cases::batch_norm::family(&name, numbers(shape, 1), BatchNorm::default()));
    }
    check(&cases);
}

#[test]
fn normalised_rows_of_generated_shapes() {
    let mut generator = Generator::new(11);
    let mut cases = Vec::new();
    while cases.len() < 3 * sweep::count(6, 20) {
        let groups = generator.size(4);
        let mut shape = vec![generator.edge(9), groups * generator.edge(9)];
        shape.extend((0..generator.size(3) - 1).map(|_| generator.edge(13)));
        let mut norm = match generator.size(3) {
            1 => cases::row_norm::layer(&shape[generator.size(shape.len()) - 1..]),
            2 => cases::row_norm::group(groups),
            _ => cases::row_norm::instance(),
        };
        norm.weight = generator.size(4) > 1;
        norm.bias = generator.size(4) > 1;
        let bare = RowNorm { weight: false, bias: false, ..norm.clone() };
        let Ok(outputs) = bare.infer(&[&TensorType::f32(shape.clone())]) else { continue };
        // Few values in a row cancel in the gradient; the family's own cases have them.
        if shape.iter().product::<usize>() / outputs[1].shape[0] < 5 {
            continue;
        }
        cases.extend(cases::row_norm::family(&format!("{shape:?} {norm:?}"), numbers(shape, 1), norm));
    }
    check(&cases);
}

#[test]
fn local_responses_of_generated_shapes() {
    let mut generator = Generator::new(12);
    let mut cases = Vec::new();
    for _ in 0..sweep::count(4, 12) {
        let shape = [generator.edge(4), generator.edge(11), generator.edge(9), generator.edge(13)];
        let attributes = LocalResponseNorm {
            size: generator.size(9),
            alpha: 1.5,
            beta: 0.75,
            k: generator.size(2) as f32,
        };
        let name = format!("{shape:?} {attributes:?}");
        cases.extend(cases::local_response_norm::pair(&name, numbers(shape, 1), attributes));
    }
    check(&cases);
}

#[test]
fn normalisations_with_pooling_of_generated_shapes() {
    let mut generator = Generator::new(7);
    let mut cases = Vec::new();
    for _ in 0..sweep::count(5, 20) {
        // A single channel's sum may cancel by chance; the largest of several measures them.
        let shape =
            [1 + generator.size(5), 2 + generator.edge(9), 2 * generator.edge(9), 2 + 2 * generator.edge(9)];
        let activation = [None, Some(Unary::Relu), Some(Unary::Sigmoid)][generator.size(3) - 1];
        let name = format!("{shape:?} {activation:?}");
        cases.extend(cases::batch_norm::pooled(&name, numbers(shape, 1), activation));
    }
    check(&cases);
}
