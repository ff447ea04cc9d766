//! Convolution and matrix products against PyTorch's answers: the reference, and the variants in turn, all of them in the
//! sweep; and their backward rules against finite differences.

use crate::harness::finite::check_gradients;
use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::{Case, array, floats, numbers, run, sweep};
use wgrad::Shape;
use wgrad::op::Array;
use wgrad::ops::conv2d::{Conv2d, Conv2dGradInput, Conv2dGradWeight};
use wgrad::ops::linear::Linear;
use wgrad::ops::matmul::MatMul;
use wgrad::ops::reduce::Reduce;

const TOLERANCE: f64 = 1e-5;

/// Compares the reference's first output, and a variant's, with a tensor of the fixture. `number` says whose turn it is:
/// every variant is compared with the reference by `ops`, so which one gets which fixture shows nothing new.
fn check(fixture: &Fixture, tensor: &str, case: Case, number: usize) {
    let inputs: Vec<Array> = case.inputs.iter().map(array).collect();
    let reference = case.operator.reference(&inputs.iter().collect::<Vec<_>>()).swap_remove(0);
    let reference = floats(reference.shape, reference.data.iter().map(|&x| x as f32).collect());
    assert_close(fixture, tensor, &reference, TOLERANCE);
    for variant in sweep::turn(&case.variants(), number) {
        let outputs =
            run(&case, variant).unwrap_or_else(|e| panic!("{} {tensor} [{variant}]: {e}", fixture.name));
        assert_close(fixture, tensor, &outputs[0], TOLERANCE);
    }
}

#[test]
fn conv2d_and_its_gradients_give_pytorchs_numbers() {
    for (number, fixture) in Fixture::of("conv2d", "conv2d").into_iter().enumerate() {
        let attributes = Conv2d::default()
            .stride(fixture.pair("stride"))
            .padding(fixture.pair("padding"))
            .dilation(fixture.pair("dilation"))
            .groups(fixture.number("groups", 1.0) as usize);
        let (input, weight, gradient) =
            (fixture.f32("input"), fixture.f32("weight"), fixture.f32("grad_output"));
        let (input_shape, weight_shape) = (input.shape.clone(), weight.shape.clone());
        let mut forward = vec![input.clone(), weight.clone()];
        if fixture.attributes["bias"] == true {
            forward.push(fixture.f32("bias"));
            check(
                &fixture,
                "grad_bias",
                Case::new("bias", Reduce::sum([0, 2, 3]), vec![gradient.clone()]),
                number,
            );
        }
        check(&fixture, "output", Case::new("output", attributes, forward), number);
        let operator = Conv2dGradInput { attributes, input: input_shape };
        check(&fixture, "grad_input", Case::new("input", operator, vec![gradient.clone(), weight]), number);
        let operator = Conv2dGradWeight { attributes, weight: weight_shape };
        check(&fixture, "grad_weight", Case::new("weight", operator, vec![gradient, input]), number);
    }
}

#[test]
fn matmul_and_its_gradients_give_pytorchs_numbers() {
    for (number, fixture) in Fixture::of("matmul", "matmul").into_iter().enumerate() {
        let (lhs, rhs, gradient) = (fixture.f32("lhs"), fixture.f32("rhs"), fixture.f32("grad_output"));
        let product = |transpose_lhs, transpose_rhs| MatMul { transpose_lhs, transpose_rhs };
        check(
            &fixture,
            "output",
            Case::new("output", product(false, false), vec![lhs.clone(), rhs.clone()]),
            number,
        );
        check(
            &fixture,
            "grad_lhs",
            Case::new("lhs", product(false, true), vec![gradient.clone(), rhs]),
            number,
        );
        check(&fixture, "grad_rhs", Case::new("rhs", product(true, false), vec![lhs, gradient]), number);
    }
}

#[test]
fn the_worked_examples_of_the_overview_come_out() {
    // Padding 1, a 2 x 2 kernel on a 3 x 3 input of 0..8, worked by hand.
    let input = floats([1, 1, 3, 3], (0..9).map(|x| x as f32).collect());
    let weight = floats([1, 1, 2, 2], vec![0.0, 1.0, 2.0, 3.0]);
    let case = Case::new("worked", Conv2d::default().padding([1, 1]), vec![input, weight]);
    let expected = [0.0, 3.0, 8.0, 4.0, 9.0, 19.0, 25.0, 10.0, 21.0, 37.0, 43.0, 16.0, 6.0, 7.0, 8.0, 0.0];
    for variant in case.variants() {
        let found = run(&case, variant).expect("the case runs");
        assert_eq!(found[0].as_f32(), Some(&expected[..]), "variant {variant}");
    }
    // One row of five numbers under a window of five.
    let signal = floats([1, 1, 1, 5], vec![128.0, 255.0, 123.0, 45.0, 4.0]);
    let window = floats([1, 1, 1, 5], vec![1.0 / 9.0, 4.0 / 7.0, -1.5, 0.8, 1.0 / 7.0]);
    let case = Case::new("one dimension", Conv2d::default(), vec![signal, window]);
    let found = run(&case, "direct").expect("the case runs")[0].to_f64()[0];
    assert!((found - 12.008).abs() < 1e-3, "about 12, found {found}");
}

#[test]
fn backward_rules_agree_with_finite_differences() {
    let plain = Conv2d::default();
    for (input, weight, attributes) in [
        ([2, 2, 4, 5], [3, 2, 3, 2], plain.padding([1, 0]).stride([1, 2])),
        ([1, 4, 5, 5], [2, 2, 2, 2], plain.groups(2).dilation([2, 1])),
    ] {
        let bias = numbers([weight[0]], 3);
        check_gradients(
            &Case::new("conv2d", attributes, vec![numbers(input, 1), numbers(weight, 2), bias]),
            &[0, 1, 2],
        );
    }
    // Gradients are operators too, and have gradients of their own.
    let attributes = plain.padding([1, 1]).stride([2, 1]);
    let operator = Conv2dGradInput { attributes, input: Shape::from([1, 2, 5, 4]) };
    check_gradients(
        &Case::new("input", operator, vec![numbers([1, 3, 3, 4], 1), numbers([3, 2, 3, 3], 2)]),
        &[0, 1],
    );
    let operator = Conv2dGradWeight { attributes, weight: Shape::from([3, 2, 3, 3]) };
    check_gradients(
        &Case::new("weight", operator, vec![numbers([1, 3, 3, 4], 1), numbers([1, 2, 5, 4], 2)]),
        &[0, 1],
    );

    for (transpose_lhs, transpose_rhs) in [(false, false), (true, false), (false, true), (true, true)] {
        let a = if transpose_lhs { [2, 4, 3] } else { [2, 3, 4] };
        let b = if transpose_rhs { [2, 5, 4] } else { [2, 4, 5] };
        let operator = MatMul { transpose_lhs, transpose_rhs };
        check_gradients(&Case::new("matmul", operator, vec![numbers(a, 1), numbers(b, 2)]), &[0, 1]);
    }
    let inputs = vec![numbers([3, 5], 1), numbers([4, 5], 2), numbers([4], 3)];
    check_gradients(&Case::new("linear", Linear, inputs), &[0, 1, 2]);
}
