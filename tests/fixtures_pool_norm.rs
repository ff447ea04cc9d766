//! Pooling and batch normalisation against PyTorch's answers, and the references' backward rules
//! against finite differences.

mod harness;

use harness::fixture::{Fixture, assert_close};
use harness::{array, device, numbers};
use wgrad::graph::{Init, Mode, Value};
use wgrad::ops::Operator;
use wgrad::ops::batch_norm::{
    BatchNorm, BatchNormEval, BatchNormEvalGrad, BatchNormGrad, BatchNormTrain, Running,
};
use wgrad::ops::pool2d::{AvgPool2d, AvgPool2dGrad, MaxPool2d, MaxPool2dGrad, Pool2d};
use wgrad::reference::Array;
use wgrad::{Error, Graph, HostTensor, Plan, Session, Weights};

/// What f32 rounding may change, relative to a tensor's largest value.
const TOLERANCE: f64 = 1e-5;

fn pool_of(fixture: &Fixture) -> Pool2d {
    let flag = |name: &str, default| fixture.attributes[name].as_bool().unwrap_or(default);
    let mut pool = Pool2d::new(fixture.pair("kernel"))
        .stride(fixture.pair("stride"))
        .padding(fixture.pair("padding"))
        .ceil_mode(flag("ceil_mode", false))
        .count_include_pad(flag("count_include_pad", true));
    if !fixture.attributes["dilation"].is_null() {
        pool = pool.dilation(fixture.pair("dilation"));
    }
    pool
}

fn check_pool(
    op: &str,
    apply: impl Fn(&mut Graph, Value, Pool2d) -> Result<Value, Error>,
) -> Result<(), Error> {
    for fixture in Fixture::of("pool2d", op) {
        let mut graph = Graph::new();
        let x = graph.input("x", fixture.array("input").shape.clone())?;
        let dy = graph.input("dy", fixture.array("grad_output").shape.clone())?;
        let y = apply(&mut graph, x, pool_of(&fixture))?;
        let dx = graph.gradients_from(&[(y, dy)], &[x])?[0].expect("y depends on x");
        let plan = Plan::new(&graph, &[y, dx], device().caps())?;
        let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
        session.write(x, &fixture.f32("input"))?;
        session.write(dy, &fixture.f32("grad_output"))?;
        session.step()?;
        assert_close(&fixture, "output", &session.read(y)?, TOLERANCE);
        assert_close(&fixture, "grad_input", &session.read(dx)?, TOLERANCE);
    }
    Ok(())
}

#[test]
fn max_pool2d_agrees_with_pytorch() -> Result<(), Error> {
    check_pool("max_pool2d", Graph::max_pool2d)
}

#[test]
fn avg_pool2d_agrees_with_pytorch() -> Result<(), Error> {
    check_pool("avg_pool2d", Graph::avg_pool2d)
}

/// Every kernel keeps exactly the taps that the reference finds: ties included, each part of a word.
#[test]
fn max_pool2d_keeps_the_first_of_equals() -> Result<(), Error> {
    let two = Pool2d::new([2, 2]);
    for (pool, shape) in [
        (two, [2, 4, 8, 8]),
        (two, [2, 4, 6, 6]),
        (Pool2d::new([3, 3]).stride([2, 2]).padding([1, 1]), [2, 3, 9, 10]),
        (Pool2d::new([17, 17]).stride([1, 1]), [1, 2, 19, 18]),
    ] {
        let data = numbers(shape, 9).to_f64().iter().map(|x| (2.0 * x).round() as f32).collect();
        let case = harness::Case::new("ties", MaxPool2d(pool), vec![HostTensor::f32(shape, data)]);
        let expected = case.operator.reference(&[&array(&case.inputs[0])]);
        for variant in case.variants() {
            let found = harness::run(&case, variant)?;
            assert_eq!(found[0].to_f64(), expected[0].data, "{variant} {shape:?}");
            assert_eq!(found[1].to_f64(), expected[1].data, "{variant} {shape:?}");
        }
    }
    Ok(())
}

#[test]
fn windows_that_do_not_fit_are_refused() {
    let two = Pool2d::new([2, 2]);
    let refused = |pool: Pool2d, shape: [usize; 4], words: &str| {
        for average in [false, true] {
            let mut graph = Graph::new();
            let x = graph.input("x", shape).expect("a plain shape");
            let made = if average { graph.avg_pool2d(x, pool) } else { graph.max_pool2d(x, pool) };
            let message = made.expect_err(words).to_string();
            assert!(message.contains(words) || pool.dilation != [1, 1], "{message}");
        }
    };
    refused(Pool2d::new([0, 2]), [1, 1, 4, 4], "kernel along the height must be at least 1, found 0");
    refused(two.stride([1, 0]), [1, 1, 4, 4], "stride along the width must be at least 1, found 0");
    refused(
        two.padding([0, 2]),
        [1, 1, 4, 4],
        "padding along the width must be at most half the kernel of 2, found 2",
    );
    refused(two, [1, 1, 1, 4], "kernel reaches over 2 along the height, the padded input has 1");
    refused(two.stride([usize::MAX, 1]), [1, 1, 4, 4], "out of range");
    refused(Pool2d::new([1, 1]).dilation([1, 1 << 32]), [1, 1, 4, 4], "out of range");
    refused(two.padding([1, 0]).dilation([5, 1]), [1, 1, 4, 4], "a window has no tap in the input of 4");
    let mut graph = Graph::new();
    let x = graph.input("x", [4, 4]).expect("a plain shape");
    let message = graph.max_pool2d(x, two).expect_err("two dimensions").to_string();
    assert!(message.contains("expected f32 of shape (N, C, H, W)"), "{message}");
}

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

#[test]
fn pooling_gradients_are_slopes() {
    let pools = [
        Pool2d::new([2, 2]),
        Pool2d::new([3, 2]).stride([2, 1]).padding([1, 1]).ceil_mode(true),
        Pool2d::new([3, 3]).stride([2, 2]).padding([1, 1]).count_include_pad(false),
        Pool2d::new([2, 3]).stride([1, 2]).dilation([3, 2]),
    ];
    for pool in pools {
        let shape = [2, 2, 6, 7];
        let x = array(&numbers(shape, 11));
        let max = MaxPool2d(pool);
        let found = max.reference(&[&x]);
        let weights = array(&numbers(found[0].shape.clone(), 12));
        let rule = MaxPool2dGrad { pool, input: shape.into() };
        let gradient = rule.reference(&[&weights, &found[1]]).remove(0);
        let error = slope_error(&x, &weights, &gradient, |x| max.reference(&[x]).remove(0));
        assert!(error < 1e-8, "max {pool:?}: {error:.1e}");
        if pool.dilation == [1, 1] {
            let average = AvgPool2d(pool);
            let rule = AvgPool2dGrad { pool, input: shape.into() };
            let gradient = rule.reference(&[&weights]).remove(0);
            let error = slope_error(&x, &weights, &gradient, |x| average.reference(&[x]).remove(0));
            assert!(error < 1e-8, "average {pool:?}: {error:.1e}");
        }
    }
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
    let attributes = BatchNorm {
        eps: fixture.number("eps", 1e-5) as f32,
        momentum: Some(fixture.number("momentum", 0.1) as f32),
    };
    let running = Running { mean, variance: var, batches: None };
    let y = graph.batch_norm(x, Some([weight, bias]), Some(running), attributes, mode)?;
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
    let build = |shape: &[usize], channels: usize, attributes: BatchNorm, mode: Mode| {
        let mut graph = Graph::new();
        let x = graph.input("x", shape)?;
        let mut each = |name: &str| graph.state(name, [channels], Init::Constant(1.0), false);
        let [weight, bias, mean, var] = WEIGHTS.map(&mut each);
        let running = Running { mean: mean?, variance: var?, batches: None };
        graph.batch_norm(x, Some([weight?, bias?]), Some(running), attributes, mode)
    };
    let plain = BatchNorm::default();
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
    refused(build(&[4, 3], 3, BatchNorm { eps: 0.0, ..plain }, Mode::Eval), "eps must be above 0");
    refused(
        build(&[4, 3], 3, BatchNorm { momentum: Some(1.5), ..plain }, Mode::Train),
        "momentum must be between 0 and 1",
    );
    Ok(())
}
