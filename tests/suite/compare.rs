//! Comparisons and choices: worked examples, what has a gradient, chains with other operators, refusals.

use crate::harness::{device, floats};
use wgrad::{Graph, HostTensor, Plan, Result, Session, Value, Weights};

const NAN: f32 = f32::NAN;
const INFINITY: f32 = f32::INFINITY;

fn number(graph: &mut Graph, number: f32) -> Result<Value> {
    graph.constant(HostTensor::f32([], vec![number])?)
}

/// What `build` makes of these tensors: an output and further values.
fn run(
    inputs: &[HostTensor],
    build: impl FnOnce(&mut Graph, &[Value]) -> Result<Vec<Value>>,
) -> Result<(Vec<Vec<f64>>, usize)> {
    let mut graph = Graph::new();
    let names = (0..inputs.len()).map(|i| format!("x{i}"));
    let values: Vec<Value> =
        names.zip(inputs).map(|(name, x)| graph.input(&name, x.shape.clone())).collect::<Result<_>>()?;
    let read = build(&mut graph, &values)?;
    let plan = Plan::new(&graph, &read, device().caps())?;
    let steps = plan.steps().len();
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    for (value, x) in values.iter().zip(inputs) {
        session.write(*value, x)?;
    }
    session.step()?;
    let found = read.into_iter().map(|value| Ok(session.read(value)?.to_f64())).collect::<Result<_>>()?;
    Ok((found, steps))
}

#[test]
fn comparisons_as_worked_by_hand() -> Result<()> {
    let lhs = floats([2, 1], vec![1.0, NAN]);
    let rhs = floats([6], vec![0.5, 1.0, 2.0, NAN, INFINITY, -INFINITY]);
    let (found, _) = run(&[lhs, rhs], |g, x| {
        let (a, b) = (x[0], x[1]);
        Ok(vec![g.eq(a, b)?, g.ne(a, b)?, g.lt(a, b)?, g.le(a, b)?, g.gt(a, b)?, g.ge(a, b)?])
    })?;
    let of_nan = |name: &str| if name == "ne" { [1.0; 6] } else { [0.0; 6] };
    for (found, (name, expected)) in found.iter().zip([
        ("eq", [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
        ("ne", [1.0, 0.0, 1.0, 1.0, 1.0, 1.0]),
        ("lt", [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]),
        ("le", [0.0, 1.0, 1.0, 0.0, 1.0, 0.0]),
        ("gt", [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
        ("ge", [1.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
    ]) {
        assert_eq!(found[..], [expected, of_nan(name)].concat(), "{name}");
    }
    Ok(())
}

/// Gradients are summed over what was broadcast.
#[test]
fn a_choice_as_worked_by_hand() -> Result<()> {
    let condition = floats([2, 3], vec![1.0, 0.0, NAN, -0.0, 1e-40, -2.0]);
    let (a, b) = (floats([3], vec![10.0, 20.0, 30.0]), floats([2, 1], vec![-1.0, -2.0]));
    let dy = floats([2, 3], vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0]);
    let (found, _) = run(&[condition, a, b, dy], |g, x| {
        let y = g.where_(x[0], x[1], x[2])?;
        let gradients = g.gradients_from(&[(y, x[3])], &x[..3])?;
        assert!(gradients[0].is_none(), "a condition has no gradient");
        Ok([vec![y], gradients.into_iter().flatten().collect()].concat())
    })?;
    assert_eq!(found[0], [10.0, -1.0, 30.0, -2.0, 20.0, 30.0]);
    assert_eq!(found[1], [1.0, 16.0, 36.0]);
    assert_eq!(found[2], [2.0, 8.0]);
    Ok(())
}

#[test]
fn what_is_not_chosen_does_not_leak() -> Result<()> {
    let condition = floats([4], vec![1.0, 0.0, 1.0, 0.0]);
    let (a, b) = (floats([4], vec![1.0, NAN, 2.0, INFINITY]), floats([4], vec![NAN, 3.0, -INFINITY, 4.0]));
    let dy = floats([4], vec![1.0, NAN, 2.0, INFINITY]);
    let (found, _) = run(&[condition, a, b, dy], |g, x| {
        let y = g.where_(x[0], x[1], x[2])?;
        let gradients = g.gradients_from(&[(y, x[3])], &x[1..3])?;
        Ok([vec![y], gradients.into_iter().flatten().collect()].concat())
    })?;
    assert_eq!(found[0], [1.0, 3.0, 2.0, 4.0]);
    assert_eq!(found[1], [1.0, 0.0, 2.0, 0.0], "of the gradient too");
    assert!(found[2][1].is_nan() && found[2][3] == f64::INFINITY && found[2][0] == 0.0);
    Ok(())
}

/// PyTorch's: comparisons need none, and what is flat has zeros, even of a gradient that is NaN.
#[test]
fn what_is_flat_has_no_gradient_or_zeros() -> Result<()> {
    let inputs = [floats([3], vec![-1.5, 0.5, 2.0]), floats([3], vec![1.0, NAN, INFINITY])];
    let (found, _) = run(&inputs, |g, x| {
        let zero = number(g, 0.0)?;
        let mask = g.gt(x[0], zero)?;
        assert_eq!(g.gradients_from(&[(mask, x[1])], &[x[0]])?, [None]);
        let y = g.mul(x[0], mask)?;
        let ones = g.constant(HostTensor::filled([3], 1.0)?)?;
        let mut read = vec![g.gradients_from(&[(y, ones)], &[x[0]])?[0].expect("it has one")];
        for y in
            [g.sign(x[0])?, g.floor(x[0])?, g.ceil(x[0])?, g.round(x[0])?, g.is_nan(x[0])?, g.is_inf(x[0])?]
        {
            read.push(g.gradients_from(&[(y, x[1])], &[x[0]])?[0].expect("zeros"));
        }
        Ok(read)
    })?;
    assert_eq!(found[0], [0.0, 1.0, 1.0]);
    assert!(found[1..].iter().all(|zeros| zeros[..] == [0.0; 3]), "{found:?}");
    Ok(())
}

#[test]
fn they_join_chains() -> Result<()> {
    let x = floats([2, 3], vec![-2.0, -0.25, 0.25, 0.75, 1.0, 3.0]);
    let (found, steps) = run(std::slice::from_ref(&x), |g, x| {
        let (half, minus) = (number(g, 0.5)?, number(g, -1.0)?);
        let size = g.abs(x[0])?;
        let near = g.lt(size, half)?;
        let y = g.where_(near, minus, half)?;
        let y = g.shift(y, 2.25)?;
        Ok(vec![g.floor(y)?])
    })?;
    assert_eq!((&found[0][..], steps), (&[2.0, 1.0, 1.0, 2.0, 2.0, 2.0][..], 1));
    // In the place of either operand.
    let (found, steps) = run(&[x.clone(), x], |g, x| {
        let (zero, doubled) = (number(g, 0.0)?, g.scale(x[0], 2.0)?);
        let y = g.where_(x[1], zero, doubled)?;
        let y = g.shift(y, 1.0)?;
        let y = g.where_(x[1], y, zero)?;
        Ok(vec![g.round(y)?])
    })?;
    assert_eq!((&found[0][..], steps), (&[1.0; 6][..], 1));
    Ok(())
}

#[test]
fn what_can_not_be_compared_is_refused() -> Result<()> {
    let mut graph = Graph::new();
    let (x, y) = (graph.input("x", [2, 3])?, graph.input("y", [2])?);
    let labels = graph.input_i32("labels", [3])?;
    let says = |result: Result<Value>, text: &str| {
        let error = result.expect_err(text).to_string();
        assert!(error.contains(text), "expected \"{text}\" in: {error}");
    };
    says(graph.lt(x, y), "lt \"lt\": shapes [2, 3] and [2] do not broadcast: sizes 3 and 2 differ");
    says(graph.eq(x, labels), "expects two f32 tensors, found f32[2, 3] and i32[3]");
    says(graph.where_(labels, x, x), "expects three f32 tensors, found i32[3], f32[2, 3] and f32[2, 3]");
    says(graph.where_(x, x, y), "shapes [2, 3] and [2] do not broadcast");
    says(graph.round(labels), "expects an f32 input, found i32[3]");
    Ok(())
}
