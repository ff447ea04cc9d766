//! Activations, losses and optimizers against PyTorch's answers, and their backward rules against
//! finite differences of the references.

mod harness;

use harness::finite::check_gradients;
use harness::fixture::{Fixture, assert_close};
use harness::{Case, device, numbers, scaled};
use wgrad::ops::Operator;
use wgrad::ops::activation::Activation;
use wgrad::{Graph, Plan, Result, Session, Value, Weights};

/// Runs `build` on the case's input and compares the output and the gradient of the input.
fn compare_unary(fixture: &Fixture, build: impl Fn(&mut Graph, Value) -> Result<Value>) -> Result<()> {
    let mut graph = Graph::new();
    let input = graph.input("input", fixture.array("input").shape.clone())?;
    let upstream = graph.input("grad_output", fixture.array("grad_output").shape.clone())?;
    let output = build(&mut graph, input)?;
    let gradient = graph.gradients_from(&[(output, upstream)], &[input])?[0].expect("depends on the input");
    let plan = Plan::new(&graph, &[output, gradient], device().caps())?;
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(input, &fixture.f32("input"))?;
    session.write(upstream, &fixture.f32("grad_output"))?;
    session.step()?;
    assert_close(fixture, "output", &session.read(output)?, 1e-5);
    assert_close(fixture, "grad_input", &session.read(gradient)?, 1e-5);
    Ok(())
}

#[test]
fn activations_agree_with_pytorch() -> Result<()> {
    for fixture in Fixture::of("activation", "relu") {
        compare_unary(&fixture, Graph::relu)?;
    }
    for fixture in Fixture::of("activation", "sigmoid") {
        compare_unary(&fixture, Graph::sigmoid)?;
    }
    for fixture in Fixture::of("activation", "tanh") {
        compare_unary(&fixture, Graph::tanh)?;
    }
    Ok(())
}

#[test]
fn backward_rules_agree_with_finite_differences() {
    let check = |name: &str, operator: &dyn Fn() -> Box<dyn Operator>, inputs, by: &[usize]| {
        check_gradients(&Case { name: name.into(), operator: operator().into(), inputs }, by);
    };
    for function in [Activation::Relu, Activation::Sigmoid, Activation::Tanh] {
        check("a prime", &|| Box::new(function), vec![scaled([23], 5, 3.0)], &[0]);
    }
    let _ = numbers([1], 1);
}
