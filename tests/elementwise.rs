//! Functions that work element by element, of one tensor and of two: worked examples, PyTorch's answers,
//! gradients against finite differences, and what is refused.

mod cases;
mod harness;

use harness::device;
use harness::finite::check_gradients;
use wgrad::ops::arithmetic::Binary;
use wgrad::{Graph, HostTensor, Plan, Result, Session, Shape, Value, Weights};

/// What `build` makes of these tensors, and the gradients of all of them from a gradient of ones.
fn run(
    inputs: &[HostTensor],
    build: impl FnOnce(&mut Graph, &[Value]) -> Result<Value>,
) -> Result<Vec<HostTensor>> {
    let mut graph = Graph::new();
    let names = (0..inputs.len()).map(|i| format!("x{i}"));
    let values: Vec<Value> =
        names.zip(inputs).map(|(name, x)| graph.input(&name, x.shape.clone())).collect::<Result<_>>()?;
    let output = build(&mut graph, &values)?;
    let ones = graph.constant(HostTensor::filled(graph.shape(output).clone(), 1.0))?;
    let gradients = graph.gradients_from(&[(output, ones)], &values)?;
    let mut read = vec![output];
    read.extend(gradients.into_iter().flatten());
    let plan = Plan::new(&graph, &read, device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    for (value, x) in values.iter().zip(inputs) {
        session.write(*value, x)?;
    }
    session.step()?;
    read.into_iter().map(|value| session.read(value)).collect()
}

#[test]
fn arithmetic_as_worked_by_hand() -> Result<()> {
    let inputs = [HostTensor::f32([2, 1], vec![6.0, -2.0]), HostTensor::f32([3], vec![1.0, -2.0, 4.0])];
    let check = |function: Binary, output: [f64; 6], by_lhs: [f64; 2], by_rhs: [f64; 3]| -> Result<()> {
        let found = run(&inputs, |g, x| g.apply1(function, x))?;
        assert_eq!(found[0].shape, Shape::from([2, 3]));
        assert_eq!(found[0].to_f64(), output, "{function:?}");
        assert_eq!(found[1].to_f64(), by_lhs, "{function:?} by the first");
        assert_eq!(found[2].to_f64(), by_rhs, "{function:?} by the second");
        Ok(())
    };
    check(Binary::Add, [7.0, 4.0, 10.0, -1.0, -4.0, 2.0], [3.0, 3.0], [2.0, 2.0, 2.0])?;
    check(Binary::Sub, [5.0, 8.0, 2.0, -3.0, 0.0, -6.0], [3.0, 3.0], [-2.0, -2.0, -2.0])?;
    check(Binary::Mul, [6.0, -12.0, 24.0, -2.0, 4.0, -8.0], [3.0, 3.0], [4.0, 4.0, 4.0])?;
    // By the second: -(6 - 2) / rhs^2.
    check(Binary::Div, [6.0, -3.0, 1.5, -2.0, 1.0, -0.5], [0.75, 0.75], [-4.0, -1.0, -0.25])?;
    // -2 and -2 are equal.
    check(Binary::Maximum, [6.0, 6.0, 6.0, 1.0, -2.0, 4.0], [3.0, 0.5], [1.0, 0.5, 1.0])?;
    check(Binary::Minimum, [1.0, -2.0, 4.0, -2.0, -2.0, -2.0], [0.0, 2.5], [1.0, 1.5, 1.0])
}

#[test]
fn a_tensor_with_itself() -> Result<()> {
    let x = [HostTensor::f32([3], vec![1.5, -2.0, 3.0])];
    let values = |found: Vec<HostTensor>| [found[0].to_f64(), found[1].to_f64()];
    assert_eq!(values(run(&x, |g, x| g.mul(x[0], x[0]))?), [[2.25, 4.0, 9.0], [3.0, -4.0, 6.0]]);
    assert_eq!(values(run(&x, |g, x| g.div(x[0], x[0]))?), [[1.0; 3], [0.0; 3]]);
    let found = run(&x, |g, x| {
        let shifted = g.shift(x[0], 1.0)?;
        let negative = g.neg(shifted)?;
        g.scale(negative, 0.5)
    })?;
    assert_eq!(values(found), [[-1.25, 0.5, -2.0], [-0.5; 3]]);
    Ok(())
}

#[test]
fn gradients_agree_with_finite_differences() {
    for function in cases::arithmetic::ALL {
        for (lhs, rhs) in [(&[3, 1, 2][..], &[4, 1][..]), (&[2, 3], &[2, 3]), (&[], &[5])] {
            check_gradients(&cases::arithmetic::case("broadcast", function, lhs, rhs), &[0, 1]);
        }
    }
}

#[test]
fn what_can_not_be_computed_is_refused() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3])?;
    let y = graph.input("y", [2])?;
    let labels = graph.labels("labels", [3])?;
    let says = |result: Result<Value>, text: &str| {
        let error = result.expect_err(text).to_string();
        assert!(error.contains(text), "expected \"{text}\" in: {error}");
    };
    says(graph.mul(x, y), "mul \"mul\": shapes [2, 3] and [2] do not broadcast: sizes 3 and 2 differ");
    says(graph.sub(x, labels), "expects two f32 tensors, found f32[2, 3] and i32[3]");
    says(graph.scale(labels, 1.0), "expects an f32 input, found i32[3]");
    says(graph.scale(x, f32::NAN), "factor must be a finite number, found NaN");
    says(graph.shift(x, f32::INFINITY), "amount must be a finite number, found inf");
    Ok(())
}
