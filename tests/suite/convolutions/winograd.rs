//! Winograd's algorithm where it differs from sums over windows: numbers that are not finite, and the largest ones.

use crate::harness::{device, floats, numbers};
use wgrad::op::Operator;
use wgrad::ops::conv2d::{Conv2d, Conv2dGradInput, Conv2dGradWeight};
use wgrad::{Graph, HostTensor, Plan, PlanOptions, Result, Session, Weights};

const SHAPE: [usize; 4] = [2, 5, 11, 9];
const WINDOWS: [usize; 4] = [6, 5, 3, 3];
const OUTPUT: [usize; 4] = [2, 6, 11, 9];

fn run(operator: impl Operator + 'static, variant: &str, inputs: &[&HostTensor; 2]) -> Result<Vec<f32>> {
    let mut graph = Graph::new();
    let first = graph.input("first", inputs[0].shape.clone())?;
    let second = graph.input("second", inputs[1].shape.clone())?;
    let options = PlanOptions::default().variant(operator.name(), variant);
    let output = graph.apply(operator, &[first, second])?[0];
    let plan = Plan::with_options(&graph, &[output], device().caps(), &options)?;
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(first, inputs[0])?;
    session.write(second, inputs[1])?;
    session.step()?;
    Ok(session.read(output)?.as_f32().expect("it is f32").to_vec())
}

/// The tensor with one element replaced.
fn with(tensor: &HostTensor, at: usize, value: f32) -> HostTensor {
    let mut data = tensor.as_f32().expect("it is f32").to_vec();
    data[at] = value;
    floats(tensor.shape.clone(), data)
}

/// What a kernel of windows finds is found in each element: NaN and infinities in the same places. Other outputs are
/// within rounding, however large an element is that their windows don't meet. The window's gradient meets all pixels,
/// so its rounding is that of the largest.
#[test]
fn numbers_reach_no_further_than_their_windows() -> Result<()> {
    let attributes = Conv2d::default().padding([1, 1]);
    let (input, weight, gradient) = (numbers(SHAPE, 1), numbers(WINDOWS, 2), numbers(OUTPUT, 3));
    let agree = |label: &str, found: &[f32], expected: &[f32], scale: f32| {
        for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            let same = if expected.is_finite() {
                (found - expected).abs() <= 1e-5 * expected.abs().max(scale)
            } else {
                found == expected || (found.is_nan() && expected.is_nan())
            };
            assert!(same, "{label}: element {i} is {found:e}, by windows {expected:e}");
        }
    };
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e30] {
        for at in [0, 100, 347, SHAPE.iter().product::<usize>() - 1] {
            let label = |pass: &str| format!("{pass} with {value:e} at {at}");
            let x = with(&input, at, value);
            let forward = |variant| run(attributes, variant, &[&x, &weight]);
            agree(&label("output"), &forward("winograd")?, &forward("direct")?, 4.0);
            let dy = with(&gradient, at, value);
            let operator = || Conv2dGradInput { attributes, input: SHAPE.into() };
            let backward = |variant| run(operator(), variant, &[&dy, &weight]);
            agree(&label("input gradient"), &backward("winograd")?, &backward("direct")?, 4.0);
            let operator = || Conv2dGradWeight { attributes, weight: WINDOWS.into() };
            let windows = |variant| run(operator(), variant, &[&gradient, &x]);
            let (found, expected) = (windows("winograd")?, windows("tiled")?);
            let largest = expected.iter().filter(|x| x.is_finite()).fold(4.0f32, |a, x| a.max(x.abs()));
            agree(&label("weight gradient"), &found, &expected, largest);
        }
    }
    Ok(())
}
