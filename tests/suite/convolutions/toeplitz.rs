//! Convolutions as matrices.

use super::Problem;
use crate::harness::{floats, numbers, relative_error};
use wgrad::op::Array;
use wgrad::ops::conv2d::{Conv1dOptions, Conv2dOptions, ConvTranspose2dOptions, Padding};
use wgrad::{HostTensor, PlanOptions, Shape};

/// `matrix` (m x n), or its transpose, by a vector.
fn product(matrix: &HostTensor, transposed: bool, vector: &HostTensor) -> Vec<f64> {
    let (matrix, x, n) = (matrix.to_f64(), vector.to_f64(), matrix.shape[1]);
    let mut y = vec![0.0; if transposed { n } else { matrix.len() / n }];
    for (i, row) in matrix.chunks(n).enumerate() {
        for (j, entry) in row.iter().enumerate() {
            let (to, from) = if transposed { (j, i) } else { (i, j) };
            y[to] += entry * x[from];
        }
    }
    y
}

#[test]
fn a_convolution_is_the_product_by_its_toeplitz_matrix() {
    // By hand: each row is the one above, one further.
    let window = floats([1, 1, 3], vec![1.0, 2.0, 3.0]);
    let matrix = Conv1dOptions::new().padding([1, 0]).toeplitz(&[1, 4].into(), &window).expect("it fits");
    let by_hand = [[2.0, 3.0, 0.0, 0.0], [1.0, 2.0, 3.0, 0.0], [0.0, 1.0, 2.0, 3.0]];
    assert_eq!(matrix, floats([3, 4], by_hand.concat()));

    let close = |expected: &[f64], found: &HostTensor| {
        let expected = Array::new(found.shape.clone(), expected.to_vec());
        let error = relative_error(&expected, found);
        assert!(error < 1e-5, "off by {error:.1e}");
    };
    let check = |matrix: &HostTensor, problem: &Problem| {
        let found = problem.run(&PlanOptions::default()).expect("it runs");
        close(&product(matrix, false, &problem.inputs[0].1), &found[0]);
        close(&product(matrix, true, &problem.inputs[2].1), &found[1]);
    };
    let plain = Conv2dOptions::new();
    for (input, weight, attributes) in [
        ([1, 1, 1, 1], [1, 1, 1, 1], plain),
        ([1, 2, 5, 7], [3, 2, 3, 2], plain.padding([[1, 0], [0, 2]])),
        ([1, 4, 7, 6], [6, 2, 3, 3], plain.stride([2, 3]).padding([2, 1]).dilation([2, 1]).groups(2)),
        ([1, 3, 6, 5], [6, 1, 2, 4], plain.padding(Padding::Same).groups(3)),
    ] {
        let (x, w) = (numbers(input, 1), numbers(weight, 2));
        let matrix = attributes.toeplitz(&Shape::from(&input[1..]), &w).expect("it fits");
        check(
            &matrix,
            &Problem::new(x, w, None, None, &|g, x, w, b| g.conv2d(x, w, b, attributes)).expect("valid"),
        );
    }
    let attributes = Conv1dOptions::new().stride(2).padding([3, 1]).dilation(2).groups(2);
    let (x, w) = (numbers([1, 4, 13], 1), numbers([2, 2, 3], 2));
    let matrix = attributes.toeplitz(&[4, 13].into(), &w).expect("it fits");
    check(
        &matrix,
        &Problem::new(x, w, None, None, &|g, x, w, b| g.conv1d(x, w, b, attributes)).expect("valid"),
    );
    // A transposed convolution is the product by the transpose, of the convolution of its result.
    let attributes = plain.stride([2, 1]).padding([1, 0]);
    let transposed = ConvTranspose2dOptions::new().stride([2, 1]).padding([1, 0]).output_padding([1, 0]);
    let (x, w) = (numbers([1, 3, 4, 5], 1), numbers([3, 2, 3, 3], 2));
    let problem =
        Problem::new(x.clone(), w.clone(), None, None, &|g, x, w, b| g.conv_transpose2d(x, w, b, transposed));
    let problem = problem.expect("valid");
    let matrix = attributes
        .toeplitz(&Shape::from(&problem.graph.shape(problem.outputs[0]).expect("of this graph")[1..]), &w)
        .expect("it fits");
    close(&product(&matrix, true, &x), &problem.run(&PlanOptions::default()).expect("it runs")[0]);

    for (input, weight) in [
        (Shape::from([4, 13]), numbers([2, 2, 3], 1)),
        (Shape::from([2, 5, 5]), numbers([2, 3, 3, 3], 1)),
        (Shape::from([2, 2, 2]), numbers([2, 2, 3, 3], 1)),
        (Shape::from([2, 50_000, 50_000]), numbers([2, 2, 3, 3], 1)),
        (Shape::from([1, 5, 5]), HostTensor { data: numbers([3], 1).data, ..numbers([1, 1, 2, 2], 1) }),
    ] {
        let error = plain.toeplitz(&input, &weight).expect_err("it does not fit").to_string();
        assert!(error.starts_with("value \"toeplitz\""), "{error}");
    }
}
