//! Verifying steps with long sums: the reference is fast enough, correct kernels pass with any data, and a missing
//! part of a split sum is found.

use crate::harness::{device, numbers};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wgrad::op::{Array, LowerContext, Operator, Preference, Reference, Variant};
use wgrad::ops::batch_norm::{BatchNorm, BatchNormGrad, BatchNormTrain};
use wgrad::ops::conv2d::{Conv1dOptions, Conv2dOptions};
use wgrad::ops::local_response_norm::{LocalResponseNorm, LocalResponseNormGrad};
use wgrad::ops::pool2d::{
    Average, AvgPool2dGrad, AvgPool2dOptions, LpPool2dOptions, MaxUnpool2dGrad, Pool2d, Unpool, Weighting,
};
use wgrad::ops::softmax::{Softmax, SoftmaxGrad};
use wgrad::{Error, Graph, Plan, PlanOptions, Session, TensorType, Value, Weights};

/// What numbers there are: of both signs, positive, or all alike, whose roundings do not cancel.
const KINDS: [&str; 3] = ["signed", "positive", "alike"];

/// Numbers of a kind.
fn data(kind: &str, count: usize, seed: u64) -> Vec<f32> {
    let numbers = numbers([count], seed).to_f64();
    let each = |x: f64| match kind {
        "signed" => x,
        "positive" => x.abs(),
        _ => 0.1,
    };
    numbers.into_iter().map(|x| each(x) as f32).collect()
}

/// Verifies what `build` makes of inputs of a kind.
fn verify(kind: &str, options: &PlanOptions, build: Build) -> Result<Vec<f64>, Error> {
    let mut graph = Graph::new();
    let outputs = build(&mut graph)?;
    let plan = Plan::with_options(&graph, &outputs, device().caps(), options)?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    for (seed, name) in ["x", "w", "c"].into_iter().enumerate() {
        if let Some(value) = graph.find(name) {
            session.write(value, &data(kind, graph.shape(value)?.elements(), seed as u64)[..])?;
        }
    }
    if let Some(indices) = graph.find("i") {
        session.write(indices, &vec![0; graph.shape(indices)?.elements()][..])?;
    }
    Ok(session.verify()?.iter().map(|verified| verified.error / verified.tolerance).collect())
}

type Build = fn(&mut Graph) -> Result<Vec<Value>, Error>;

/// An output and its gradients by the inputs, whose gradient is an input too.
fn with_gradients(g: &mut Graph, y: Value) -> Result<Vec<Value>, Error> {
    let c = g.input("c", g.shape(y)?.clone())?;
    let by: Vec<Value> = ["x", "w"].into_iter().filter_map(|name| g.find(name)).collect();
    let gradients = g.gradients_from(&[(y, c)], &by)?;
    Ok([y].into_iter().chain(gradients.into_iter().flatten()).collect())
}

/// Graphs of long sums.
fn long() -> Vec<(&'static str, Build)> {
    vec![
        ("a product over a million", |g| {
            let (x, w) = (g.input("x", [4, 1_000_000])?, g.input("w", [1_000_000, 4])?);
            Ok(vec![g.matmul(x, w)?])
        }),
        ("a line of 300,000", |g| {
            let (x, w) = (g.input("x", [1, 2, 300_002])?, g.input("w", [3, 2, 3])?);
            let y = g.conv1d(x, w, None, Conv1dOptions::new())?;
            with_gradients(g, y)
        }),
        ("10,000 channels", |g| {
            let (x, w) = (g.input("x", [1, 10_000, 3, 4])?, g.input("w", [2, 10_000, 3, 3])?);
            let y = g.conv2d(x, w, None, Conv2dOptions::new())?;
            Ok(vec![y])
        }),
        ("a mean of two million", |g| {
            let x = g.input("x", [2_000_000])?;
            let y = g.mean(x, &[0], false)?;
            Ok(vec![y])
        }),
        ("sums among others", |g| {
            let x = g.input("x", [400, 3, 500, 2])?;
            Ok(vec![g.sum(x, &[0, 2], false)?])
        }),
        ("softmax of 200,000", |g| {
            let x = g.input("x", [2, 200_000])?;
            let y = g.softmax(x, 1)?;
            with_gradients(g, y)
        }),
        ("rows of 200,000", |g| {
            let x = g.input("x", [2, 200_000])?;
            let y = wgrad::nn::Layer::forward(
                &wgrad::nn::LayerNorm::new([200_000]).affine(false),
                g,
                x,
                wgrad::Mode::Train,
            )?;
            with_gradients(g, y)
        }),
        ("channels of 200,000", |g| {
            let x = g.input("x", [2, 2, 100_000, 1])?;
            let layer = wgrad::nn::BatchNorm::new(2).affine(false).track_running_stats(false);
            let y = wgrad::nn::Layer::forward(&layer, g, x, wgrad::Mode::Train)?;
            with_gradients(g, y)
        }),
        ("windows of 10,000 and whole planes", |g| {
            let x = g.input("x", [1, 2, 400, 300])?;
            let windows = g.avg_pool2d(x, AvgPool2dOptions::new([100, 100]).padding([1, 0]))?;
            let whole = g.global_avg_pool2d(x)?;
            let norms = g.lp_pool2d(x, 2.0, LpPool2dOptions::new([120, 90]))?;
            Ok(vec![windows, whole, norms])
        }),
        ("an element in 160,000 outputs", |g| {
            let x = g.input("x", [1, 1, 1, 1])?;
            let y = g.upsample_bilinear2d(x, wgrad::ops::upsample::Resize::Size([400, 400]), false)?;
            with_gradients(g, y)
        }),
        ("a row at 100,000 places", |g| {
            let (w, i) = (g.input("w", [2, 3])?, g.input_i32("i", [100_000])?);
            let y = g.embedding(w, i)?;
            with_gradients(g, y)
        }),
    ]
}

#[test]
fn right_kernels_pass_whatever_their_data() {
    for (name, build) in long() {
        for kind in KINDS {
            let label = format!("{name}, {kind} numbers");
            let errors =
                verify(kind, &PlanOptions::default(), build).unwrap_or_else(|e| panic!("{label}: {e}"));
            assert!(errors.iter().all(|&error| error < 1.0), "{label}: {errors:?}");
        }
    }
}

/// An operator whose kernels get no part of the first input but the rest: what is lost is a part of a split sum.
#[derive(Clone, Debug)]
struct Losing {
    operator: Arc<dyn Operator>,
    /// Along the summed dimension, the first of how many parts is lost.
    parts: usize,
}

impl Operator for Losing {
    fn name(&self) -> &'static str {
        self.operator.name()
    }

    fn arity(&self) -> (usize, usize) {
        self.operator.arity()
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.operator.infer(inputs)
    }

    fn variants(&self, inputs: &[&TensorType], caps: &wgrad::Caps) -> Vec<Variant> {
        self.operator.variants(inputs, caps)
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<(), Error> {
        self.operator.lower(cx)
    }

    fn preference(&self, inputs: &[&TensorType]) -> Preference {
        self.operator.preference(inputs)
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        self.operator.serial_terms(inputs, variant)
    }
}

impl Reference for Losing {
    /// The kernels give the whole sum, so the reference is what lacks a part.
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut first = inputs[0].clone();
        let terms = *first.shape.last().expect("sums go over the last dimension");
        for row in first.data.chunks_mut(terms) {
            row[..terms / self.parts].fill(0.0);
        }
        let inputs: Vec<&Array> = std::iter::once(&first).chain(inputs[1..].iter().copied()).collect();
        self.operator.reference(&inputs)
    }

    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        self.operator.largest_sum_of_terms(output, inputs)
    }
}

#[test]
fn a_lost_part_of_a_long_sum_is_found() -> Result<(), Error> {
    for kind in ["signed", "positive"] {
        // As many parts as any adapter makes of such sums.
        for (terms, parts) in [(300_000, 256), (1_000_000, 256)] {
            let mut sums = Graph::new();
            let x = sums.input("x", [3, terms])?;
            let y = sums.sum(x, &[1], false)?;
            let mut products = Graph::new();
            let (a, w) = (products.input("x", [4, terms])?, products.input("w", [terms, 4])?);
            let z = products.matmul(a, w)?;
            for (mut graph, inputs, output) in [(sums, vec![x], y), (products, vec![a, w], z)] {
                let node = graph.nodes().find(|(_, node)| node.outputs == [output]).expect("it is there").1;
                let operator = Arc::clone(&node.operator);
                let label = format!("{} of {terms} {kind} terms", operator.name());
                let lost = graph.apply1(Losing { operator, parts }, &inputs)?;
                let plan = Plan::new(&graph, &[lost], device().caps())?;
                let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
                for (seed, &input) in inputs.iter().enumerate() {
                    session.write(input, &data(kind, graph.shape(input)?.elements(), seed as u64)[..])?;
                }
                match session.verify() {
                    Err(Error::Verify { .. }) => {}
                    other => panic!("{label}: one part of {parts} was lost, found {other:?}"),
                }
            }
        }
    }
    Ok(())
}

/// Whole rows, channels, planes and windows, each in a time that grows with its size. Where it grew with the square,
/// one of these would take hours.
#[test]
fn the_reference_takes_no_longer_than_its_work() {
    let start = Instant::now();
    let long = |label: &str, operator: &dyn Operator, shapes: &[&[usize]]| {
        let arrays: Vec<Array> = shapes
            .iter()
            .map(|&shape| {
                Array::new(
                    shape,
                    data("signed", shape.iter().product(), 1).iter().map(|&x| f64::from(x)).collect(),
                )
            })
            .collect();
        let outputs = operator.reference(&arrays.iter().collect::<Vec<_>>());
        assert!(!outputs.is_empty());
        let inputs: Vec<&Array> = arrays.iter().collect();
        assert!(
            (0..outputs.len()).all(|i| operator.largest_sum_of_terms(i, &inputs).is_none_or(f64::is_finite))
        );
        let taken = start.elapsed();
        assert!(taken < Duration::from_secs(120), "{label}: {taken:?} so far");
    };
    let row: &[usize] = &[1, 1_000_000];
    let plane: &[usize] = &[1, 1, 1000, 1000];
    let channels: &[usize] = &[2, 70_000, 3];
    for log in [false, true] {
        let forward = Softmax { axis: 1, log };
        long("softmax", &SoftmaxGrad { forward }, &[row, row]);
    }
    let norm = BatchNormTrain { norm: BatchNorm::default(), affine: false, tracked: false };
    long("batch norm", &norm, &[channels]);
    long("batch norm's gradient", &BatchNormGrad::default(), &[channels, channels, &[70_000, 4]]);
    let response = LocalResponseNorm::new(70_000);
    long("local response norm", &response, &[channels]);
    long("local response norm's gradient", &LocalResponseNormGrad(response), &[channels, channels, channels]);
    for weighting in [Weighting::Equal, Weighting::Distance] {
        let average = Average { windows: Pool2d::new([1000, 1000]).padding([1, 1]).into(), weighting };
        let operator = AvgPool2dGrad { average, input: plane.into() };
        long("the gradient of an average", &operator, &[&[1, 1, 1, 1]]);
    }
    let unpool = Unpool { pool: Pool2d::new([1, 1]), output_size: [1000, 1000] };
    let operator = MaxUnpool2dGrad { unpool, input: plane.into() };
    long("unpooling's gradient", &operator, &[plane, &[250_000]]);
}
