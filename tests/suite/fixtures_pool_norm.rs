//! Batch normalisation against PyTorch's answers, and the references' backward rules against finite
//! differences.

use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::{array, device, numbers};
use wgrad::graph::{Init, Mode, Value};
use wgrad::op::{Array, Operator, Reference};
use wgrad::ops::batch_norm::{
    BatchNorm, BatchNormEval, BatchNormEvalGrad, BatchNormGrad, BatchNormTrain, Momentum, Running,
};
use wgrad::{Error, Graph, Plan, Session, Weights};

/// What f32 rounding may change, relative to a tensor's largest value.
const TOLERANCE: f64 = 1e-5;

/// Largest difference between `gradient` and the central differences of `sum(weights * f(x))`,
/// relative to the largest slope. In f64, so that the difference is the rule's and not rounding.
fn slope_error(x: &Array, weights: &Array, gradient: &Array, f: impl Fn(&Array) -> Array) -> f64 {
    let step = 1e-5;
    let loss = |x: &Array| f(x).data.iter().zip(&weights.data).map(|(y, w)| y * w).sum::<f64>();
    let mut slopes = Array::zeros(x.shape.clone());
    for i in 0..x.data.len() {
        let moved = |by: f64| {
            let mut x = x.clone();
            x.data[i] += by;
            loss(&x)
        };
        slopes.data[i] = (moved(step) - moved(-step)) / (2.0 * step);
    }
    wgrad::session::difference(&slopes, &gradient.data).0
}

/// A network of one batch norm, by its training or evaluation rule, with its gradients.
struct Normed {
    session: Session,
    x: Value,
    dy: Value,
    y: Value,
    gradients: Vec<Value>,
}

const WEIGHTS: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

fn normed(
    fixture: &Fixture,
    input: &str,
    mode: Mode,
    weights: Option<&Weights>,
) -> Result<(Normed, Weights), Error> {
    let mut graph = Graph::new();
    let shape = fixture.array(input).shape.clone();
    let channels = shape[1];
    let x = graph.input("x", shape.clone())?;
    let dy = graph.input("dy", shape)?;
    let weight = graph.parameter(WEIGHTS[0], [channels], Init::Constant(1.0))?;
    let bias = graph.parameter(WEIGHTS[1], [channels], Init::Constant(0.0))?;
    let mean = graph.state(WEIGHTS[2], [channels], Init::Constant(0.0), true)?;
    let var = graph.state(WEIGHTS[3], [channels], Init::Constant(1.0), true)?;
    let eps = fixture.number("eps", 1e-5) as f32;
    let momentum = Momentum::Share(fixture.number("momentum", 0.1) as f32);
    let running = Running { mean, variance: var, momentum };
    let y = graph.batch_norm(x, Some([weight, bias]), Some(running), eps, mode)?;
    let gradients: Vec<Value> = graph
        .gradients_from(&[(y, dy)], &[x, weight, bias])?
        .into_iter()
        .map(|gradient| gradient.expect("y depends on x, weight and bias"))
        .collect();
    let outputs: Vec<Value> = [y].into_iter().chain(gradients.iter().copied()).collect();
    let plan = Plan::new(&graph, &outputs, device().caps())?;
    let own = Weights::init(device(), &graph, 0)?;
    for name in &WEIGHTS[..2] {
        own.write(name, fixture.f32(name).as_f32().expect("weights are floats"))?;
    }
    if let Some(weights) = weights {
        for name in &WEIGHTS[2..] {
            own.write(name, weights.read(name)?.as_f32().expect("weights are floats"))?;
        }
    }
    Ok((Normed { session: Session::new(device(), plan, &own)?, x, dy, y, gradients }, own))
}

impl Normed {
    fn step(&mut self, fixture: &Fixture, prefix: &str, suffix: &str) -> Result<(), Error> {
        let name = |tensor: &str| format!("{prefix}{tensor}{suffix}");
        self.session.write(self.x, &fixture.f32(&name("input")))?;
        self.session.write(self.dy, &fixture.f32(&name("grad_output")))?;
        self.session.step()?;
        let gradients = ["grad_input", "grad_weight", "grad_bias"];
        assert_close(fixture, &name("output"), &self.session.read(self.y)?, TOLERANCE);
        for (tensor, &value) in gradients.iter().zip(&self.gradients) {
            assert_close(fixture, &name(tensor), &self.session.read(value)?, TOLERANCE);
        }
        Ok(())
    }
}

/// Several training steps, then evaluation with the running statistics that the steps left.
#[test]
fn batch_norm_agrees_with_pytorch() -> Result<(), Error> {
    for fixture in Fixture::of("norm", "batch_norm") {
        let (mut train, weights) = normed(&fixture, "input_0", Mode::Train, None)?;
        let steps = fixture.number("train_steps", 0.0) as usize;
        for step in 0..steps {
            train.step(&fixture, "", &format!("_{step}"))?;
            for name in &WEIGHTS[2..] {
                assert_close(&fixture, &format!("{name}_{step}"), &weights.read(name)?, TOLERANCE);
            }
        }
        let (mut eval, _) = normed(&fixture, "eval_input", Mode::Eval, Some(&weights))?;
        eval.step(&fixture, "eval_", "")?;
    }
    Ok(())
}

#[test]
fn batch_norm_gradients_are_slopes() {
    let attributes = BatchNorm { eps: 1e-3, ..BatchNorm::default() };
    for shape in [vec![5, 3], vec![3, 2, 2, 3]] {
        let channels = shape[1];
        let [x, weights] = [1, 2].map(|seed| array(&numbers(shape.clone(), seed)));
        let [weight, bias, mean] = [3, 4, 5].map(|seed| array(&numbers([channels], seed)));
        let var = array(&numbers([channels], 6)).map(|v| v + 1.5);
        let train = BatchNormTrain::from(attributes);
        let eval = BatchNormEval::from(attributes);
        let statistics = train.reference(&[&x, &weight, &bias, &mean, &var]).remove(1);
        let rules: [(&str, &dyn Operator, Vec<Array>); 2] = [
            ("training", &train, BatchNormGrad::default().reference(&[&x, &weights, &statistics])),
            (
                "evaluation",
                &eval,
                BatchNormEvalGrad(attributes).reference(&[&x, &weights, &weight, &mean, &var]),
            ),
        ];
        for (name, operator, gradients) in rules {
            for (i, at) in [&x, &weight, &bias].into_iter().enumerate() {
                let error = slope_error(at, &weights, &gradients[i], |moved| {
                    let mut inputs = [&x, &weight, &bias, &mean, &var];
                    inputs[i] = moved;
                    operator.reference(&inputs).remove(0)
                });
                assert!(error < 1e-7, "{name}, gradient {i}: {error:.1e}");
            }
        }
    }
}

#[test]
fn batch_norm_refuses_what_pytorch_refuses() -> Result<(), Error> {
    let build = |shape: &[usize], channels: usize, [eps, momentum]: [f32; 2], mode: Mode| {
        let mut graph = Graph::new();
        let x = graph.input("x", shape)?;
        let mut each = |name: &str| graph.state(name, [channels], Init::Constant(1.0), false);
        let [weight, bias, mean, var] = WEIGHTS.map(&mut each);
        let running = Running { mean: mean?, variance: var?, momentum: Momentum::Share(momentum) };
        graph.batch_norm(x, Some([weight?, bias?]), Some(running), eps, mode)
    };
    let plain = [1e-5, 0.1];
    let refused = |made: Result<Value, Error>, words: &str| {
        let message = made.expect_err(words).to_string();
        assert!(message.contains(words), "{message}");
    };
    refused(
        build(&[1, 3, 1, 1], 3, plain, Mode::Train),
        "expected more than 1 value per channel when training",
    );
    build(&[1, 3, 1, 1], 3, plain, Mode::Eval)?;
    refused(build(&[4, 3], 2, plain, Mode::Train), "expected weight as f32[3], found f32[2]");
    refused(build(&[4], 4, plain, Mode::Eval), "expected f32 of shape (N, C) or (N, C, ...)");
    refused(build(&[4, 3], 3, [0.0, 0.1], Mode::Eval), "eps must be above 0");
    refused(build(&[4, 3], 3, [1e-5, 1.5], Mode::Train), "momentum must be between 0 and 1");
    Ok(())
}
