//! Element-wise functions of one and of two tensors: worked examples, PyTorch's answers, gradients against finite
//! differences, refusals.

use crate::cases;
use crate::harness::finite::check_gradients;
use crate::harness::{self, array, device, floats, scaled};
use wgrad::nn::{self, Layer};
use wgrad::op::Reference;
use wgrad::ops::arithmetic::Binary;
use wgrad::ops::unary::{Unary, UnaryGrad};
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session, Shape, Value, Weights};

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
    let ones =
        graph.constant(HostTensor::filled(graph.shape(output).expect("of this graph").clone(), 1.0)?)?;
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
    let inputs = [floats([2, 1], vec![6.0, -2.0]), floats([3], vec![1.0, -2.0, 4.0])];
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
    let x = [floats([3], vec![1.5, -2.0, 3.0])];
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
    for function in cases::unary::ALL {
        let forward = cases::unary::pair("a prime", function, scaled([29], 5, 4.0)).swap_remove(0);
        check_gradients(&forward, &[0]);
    }
    for (x, weight) in [(&[2, 3, 2][..], &[3][..]), (&[2, 3], &[1]), (&[5], &[1]), (&[4, 3], &[])] {
        check_gradients(&cases::prelu::passes("a slope", x, weight)[0], &[0, 1]);
    }
}

/// Whether an element at `x` is right in proportion.
fn is_accurate(x: f64, expected: f64, found: f64) -> bool {
    let rounded = f64::from(expected as f32);
    if found == rounded || (expected.is_nan() && found.is_nan()) {
        return true;
    }
    // A power overflows before the exponent that it is multiplied by brings it back, in PyTorch too.
    if expected.abs() > 1e38 && found == f64::INFINITY.copysign(expected) {
        return true;
    }
    // The rounding of an exponential's argument grows with the argument.
    let relative = if (1e-10..1e10).contains(&expected.abs()) { 1e-5 } else { 3e-5 };
    // An exponential below the least normal number may count as zero; it is multiplied by up to x^3.
    let least = 1.2e-38 * (1.0 + x.abs().powi(3)).min(1e4);
    rounded.is_finite() && (found - expected).abs() <= relative * expected.abs() + least
}

/// Each element by itself, over all magnitudes: where a function or its slope is tiny, it is right in
/// proportion.
///
/// A device may count denormal numbers as zero. Where the probe finds that it does, a function of one is what it is of 0.
#[test]
pub fn functions_are_accurate_in_every_element() -> Result<()> {
    let flushes = harness::flushes_denormals()?;
    let zero_of = |x: f64| if x.abs() < f64::from(f32::MIN_POSITIVE) { 0f64.copysign(x) } else { x };
    let mut numbers: Vec<f32> = (0..8001).map(|i| (i - 4000) as f32 * 0.006_85).collect();
    for exponent in -44..=38 {
        for digits in [1.0, 1.7, 2.9] {
            let size = (digits * 10f64.powi(exponent)) as f32;
            numbers.extend([size, -size]);
        }
    }
    numbers.extend([0.0, -0.0, f32::MAX, f32::MIN]);
    let mut failures = Vec::new();
    for function in cases::unary::ALL {
        let defined = |x: f32| match function {
            Unary::Log | Unary::Sqrt => x >= 0.0,
            Unary::Power { exponent } | Unary::NormPower { exponent } => x >= 0.0 || exponent.fract() == 0.0,
            _ => true,
        };
        let inputs: Vec<f32> = numbers.iter().copied().filter(|&x| defined(x)).collect();
        let x = floats([inputs.len()], inputs);
        let found = run(std::slice::from_ref(&x), |g, x| g.apply1(function, x))?;
        let y = function.reference(&[&array(&x)]).swap_remove(0);
        let gradient = UnaryGrad { function };
        let saved = if function.saves_output() { &found[0] } else { &x };
        let ones = HostTensor::filled(x.shape.clone(), 1.0)?;
        let slopes = gradient.reference(&[&array(saved), &array(&ones)]).swap_remove(0);
        let flushed_y = function.reference(&[&array(&x).map(zero_of)]).swap_remove(0);
        let flushed = array(saved).map(zero_of);
        let flushed_slopes = gradient.reference(&[&flushed, &array(&ones)]).swap_remove(0);
        let x = x.to_f64();
        let value = |(i, found): (usize, f64)| {
            let (x, expected) = (x[i], y.data[i]);
            let zero = flushes && is_accurate(x, flushed_y.data[i], found);
            let wrong = !is_accurate(x, expected, found) && !zero;
            wrong.then(|| format!("{function:?} of {x:e} is {found}, expected {expected}"))
        };
        failures.extend(found[0].to_f64().into_iter().enumerate().find_map(value));
        // Where a slope changes its sign, or a sum with the output makes it small, it is accurate as its
        // terms are.
        let slope = |(i, found): (usize, f64)| {
            let (x, expected) = (x[i], slopes.data[i]);
            let term = if x.abs() < 2.0 || function.saves_output() { 4e-7 } else { 0.0 };
            let zero = flushes && is_accurate(x, flushed_slopes.data[i], found);
            let close = is_accurate(x, expected, found) || zero || (found - expected).abs() <= term;
            (!close).then(|| format!("slope of {function:?} at {x:e} is {found}, expected {expected}"))
        };
        failures.extend(found[1].to_f64().into_iter().enumerate().find_map(slope));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

#[test]
pub fn ends_and_kinks_are_pytorchs() -> Result<()> {
    let mut failures = Vec::new();
    for &(function, rows) in cases::unary::KNOWN {
        let x = floats([rows.len()], rows.iter().map(|row| row.0 as f32).collect());
        let found = run(&[x], |g, x| g.apply1(function, x))?;
        let close = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-6 * b.abs();
        for (i, &(x, y, slope)) in rows.iter().enumerate() {
            let [value, gradient] = [0, 1].map(|output| found[output].to_f64()[i]);
            if !close(value, y) {
                failures.push(format!("{function:?} of {x:e} is {value}, expected {y}"));
            }
            if !slope.is_nan() && !close(gradient, slope) {
                failures.push(format!("slope of {function:?} at {x:e} is {gradient}, expected {slope}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

#[test]
fn prelu_as_worked_by_hand() -> Result<()> {
    let x = floats([2, 2, 2], vec![1.0, -2.0, 0.0, -4.0, -1.0, 3.0, 5.0, -0.5]);
    let weights = floats([2], vec![0.5, -0.25]);
    let found = run(&[x.clone(), weights], |g, x| g.prelu(x[0], x[1]))?;
    assert_eq!(found[0].to_f64(), [1.0, -1.0, 0.0, 1.0, -0.5, 3.0, 5.0, 0.125]);
    // At 0 the slope is the weight.
    assert_eq!(found[1].to_f64(), [1.0, 0.5, -0.25, -0.25, 0.5, 1.0, 1.0, -0.25]);
    assert_eq!(found[2].to_f64(), [-3.0, -4.5]);
    let one = floats([1], vec![2.0]);
    let found = run(&[x, one], |g, x| g.prelu(x[0], x[1]))?;
    assert_eq!(found[0].to_f64(), [1.0, -4.0, 0.0, -8.0, -2.0, 3.0, 5.0, -1.0]);
    assert_eq!(found[2].to_f64(), [-7.5]);
    Ok(())
}

/// Each layer appends the operator that it says, with PyTorch's defaults.
#[test]
fn layers_are_their_functions() -> Result<()> {
    let (elu, leaky) = (Unary::Elu { alpha: 1.0 }, Unary::LeakyRelu { slope: 0.01 });
    let softplus = Unary::Softplus { beta: 1.0, threshold: 20.0 };
    let layers: [(Box<dyn Layer>, Unary); 20] = [
        (Box::new(nn::Relu), Unary::Relu),
        (Box::new(nn::Relu6), Unary::HardTanh { min: 0.0, max: 6.0 }),
        (Box::new(nn::LeakyRelu::new()), leaky),
        (Box::new(nn::LeakyRelu::new().negative_slope(0.2)), Unary::LeakyRelu { slope: 0.2 }),
        (Box::new(nn::Elu::new()), elu),
        (Box::new(nn::Elu::new().alpha(0.5)), Unary::Elu { alpha: 0.5 }),
        (Box::new(nn::Selu), Unary::Selu),
        (Box::new(nn::Gelu), Unary::Gelu),
        (Box::new(nn::GeluTanh), Unary::GeluTanh),
        (Box::new(nn::Silu), Unary::Silu),
        (Box::new(nn::Mish), Unary::Mish),
        (Box::new(nn::Softplus::new()), softplus),
        (
            Box::new(nn::Softplus::new().beta(2.0).threshold(9.0)),
            Unary::Softplus { beta: 2.0, threshold: 9.0 },
        ),
        (Box::new(nn::Sigmoid), Unary::Sigmoid),
        (Box::new(nn::Tanh), Unary::Tanh),
        (Box::new(nn::HardSigmoid), Unary::HardSigmoid),
        (Box::new(nn::HardSwish), Unary::HardSwish),
        (Box::new(nn::HardTanh::new()), Unary::HardTanh { min: -1.0, max: 1.0 }),
        (Box::new(nn::HardTanh::new().max_val(3.0)), Unary::HardTanh { min: -1.0, max: 3.0 }),
        (Box::new(nn::HardTanh::new().min_val(0.0)), Unary::HardTanh { min: 0.0, max: 1.0 }),
    ];
    for (layer, function) in layers {
        let mut graph = Graph::new();
        let x = graph.input("x", [2, 3])?;
        layer.forward(&mut graph, x, Mode::Train)?;
        let operators: Vec<String> = graph.nodes().map(|(_, node)| format!("{:?}", node.operator)).collect();
        assert_eq!(operators, [format!("{function:?}")], "{layer:?}");
    }
    for (layer, expected) in
        [(nn::PRelu::new(), vec![0.25]), (nn::PRelu::new().num_parameters(3).init(0.5), vec![0.5; 3])]
    {
        let mut graph = Graph::new();
        let x = graph.input("x", [2, 3, 4])?;
        nn::Sequential::new().add("layer", layer).forward(&mut graph, x, Mode::Train)?;
        let weights = Weights::init(device(), &graph, 0)?;
        assert_eq!(weights.read("layer.weight")?.to_f64(), expected);
    }
    Ok(())
}

#[test]
fn what_can_not_be_computed_is_refused() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3])?;
    let y = graph.input("y", [2])?;
    let labels = graph.input_i32("labels", [3])?;
    let says = |result: Result<Value>, text: &str| {
        let error = result.expect_err(text).to_string();
        assert!(error.contains(text), "expected \"{text}\" in: {error}");
    };
    says(graph.mul(x, y), "mul \"mul\": shapes [2, 3] and [2] do not broadcast: sizes 3 and 2 differ");
    says(graph.sub(x, labels), "expects two f32 tensors, found f32[2, 3] and i32[3]");
    says(graph.scale(labels, 1.0), "expects an f32 input, found i32[3]");
    says(graph.scale(x, f32::NAN), "factor must be a finite number, found NaN");
    says(graph.shift(x, f32::INFINITY), "amount must be a finite number, found inf");
    says(graph.leaky_relu(x, f32::NAN), "leaky_relu \"leaky_relu\": negative_slope must be a finite number");
    says(graph.elu(x, f32::INFINITY), "alpha must be a finite number, found inf");
    says(graph.softplus(x, f32::NAN, 20.0), "beta must be a finite number, found NaN");
    says(graph.softplus(x, 1.0, f32::NAN), "threshold must be a finite number, found NaN");
    says(graph.softplus(x, -0.0, 20.0), "beta must not be zero");
    says(graph.hard_tanh(x, 1.0, -1.0), "min_val cannot be greater than max_val, found 1 and -1");
    says(graph.hard_tanh(x, f32::NAN, 1.0), "min_val must be a finite number, found NaN");
    says(graph.hard_tanh(x, 0.0, f32::INFINITY), "max_val must be a finite number, found inf");
    says(graph.pow(x, f32::NAN), "exponent must be a finite number, found NaN");
    says(graph.clamp(x, None, None), "at least one of 'min' or 'max' must not be None");
    says(graph.clamp(x, Some(f32::NAN), None), "min must be a finite number, found NaN");
    says(graph.clamp(x, Some(0.0), Some(f32::INFINITY)), "max must be a finite number, found inf");
    says(graph.prelu(x, y), "found parameter numbers = 2 and channel size = 3");
    says(graph.prelu(x, x), "expected weight to be a scalar or 1D tensor, found f32[2, 3]");
    says(graph.prelu(y, y), "found parameter numbers = 2 and channel size = 1");
    for function in [Unary::Scale { factor: 2.0 }, Unary::Shift { amount: 2.0 }] {
        says(graph.apply1(UnaryGrad { function }, &[x, x]), "takes its gradient from the output's alone");
    }
    Ok(())
}
