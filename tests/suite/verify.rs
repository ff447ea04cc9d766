//! Verifying a step: correct kernels pass, and a deliberately wrong one is named.

use crate::harness;
use crate::harness::{device, numbers};
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::op::{Array, LowerContext, Operator, Reference};
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::ops::reduce::Reduce;
use wgrad::plan::Fusion;
use wgrad::shader::{Kernel, ShaderFile};
use wgrad::{Error, Graph, Mode, Plan, PlanOptions, Session, TensorType, Value, Weights, optim};

/// Negation, whose kernel forgets the sign of one element.
#[derive(Debug)]
struct Negate {
    wrong_at: u32,
}

static NEGATE: ShaderFile = ShaderFile::new(
    "negate",
    "
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
const ELEMENTS: u32 = 1u; // shape
const WRONG_AT: u32 = 0u; // shape
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < ELEMENTS) {
        result[id.x] = select(-source[id.x], source[id.x], id.x == WRONG_AT);
    }
}",
);

impl Operator for Negate {
    fn name(&self) -> &'static str {
        "negate"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<(), Error> {
        let elements = cx.output_type(0).shape.elements();
        let kernel = Kernel::new(&NEGATE).with("ELEMENTS", elements as u32).with("WRONG_AT", self.wrong_at);
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch(kernel, &operands, elements.div_ceil(64));
        Ok(())
    }
}

impl Reference for Negate {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].map(|x| -x)]
    }
}

/// A convolution between two negations, the second of which goes wrong at `wrong_at`.
fn session(wrong_at: u32) -> (Session, Value) {
    let build = || -> Result<(Session, Value), Error> {
        let mut graph = Graph::new();
        let x = graph.input("x", [2, 3, 6, 5])?;
        let w = graph.input("w", [4, 3, 3, 3])?;
        let first = graph.scoped("first", |g| g.apply1(Negate { wrong_at: u32::MAX }, &[x]))?;
        let convolved = graph.scoped("middle", |g| g.conv2d(first, w, None, Conv2dOptions::new()))?;
        let last = graph.scoped("last", |g| g.apply1(Negate { wrong_at }, &[convolved]))?;
        let plan = Plan::new(&graph, &[last], device().caps())?;
        let weights = Weights::init(device(), &graph, 0)?;
        let mut session = Session::new(device(), plan, &weights)?;
        session.write(x, &numbers([2, 3, 6, 5], 1))?;
        session.write(w, &numbers([4, 3, 3, 3], 2))?;
        Ok((session, last))
    };
    build().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn right_kernels_are_reported_with_their_errors() {
    let (mut session, _) = session(u32::MAX);
    let verified = session.verify().expect("every kernel is right");
    let names: Vec<_> = verified.iter().map(|v| (v.operator, v.node.as_str())).collect();
    assert_eq!(names, [("negate", "first"), ("conv2d", "middle"), ("negate", "last")]);
    assert!(verified.iter().all(|v| v.error <= v.tolerance), "{verified:?}");
    assert!(verified[1].error > 0.0, "f32 sums differ a little from f64 ones: {verified:?}");
}

#[test]
fn a_planted_wrong_kernel_is_named() {
    let (mut session, _) = session(17);
    match session.verify() {
        Err(Error::Verify { operator, node, element, output, .. }) => {
            assert_eq!((operator.as_str(), node.as_str(), output, element), ("negate", "last", 0, 17));
        }
        other => panic!("expected the wrong node to be named, found {other:?}"),
    }
}

#[test]
fn a_wrong_kernel_does_not_end_a_comparison_of_all() {
    let (mut session, output) = session(17);
    let nodes = session.verify_all().expect("the device works");
    let found: Vec<_> = nodes.iter().map(|node| (node.node.as_str(), node.agrees())).collect();
    assert_eq!(found, [("first", true), ("middle", true), ("last", false)]);
    assert!(nodes[2].error > 0.01 && nodes[2].tolerance < 1e-3, "{nodes:?}");
    session.read(output).expect("the step was run to its end");
    let (mut right, _) = self::session(u32::MAX);
    assert_eq!(right.verify_all().expect("it runs"), right.verify().expect("every kernel is right"));
}

#[test]
fn verifying_gives_what_a_step_gives() {
    let (mut verified, verified_output) = session(u32::MAX);
    let (mut stepped, stepped_output) = session(u32::MAX);
    verified.verify().expect("every kernel is right");
    stepped.step().expect("the step runs");
    let verified = verified.read(verified_output).expect("an output");
    assert_eq!(verified, stepped.read(stepped_output).expect("an output"));
}

/// Layers whose bias batch norm takes away again: that bias's gradient is zero but for rounding.
fn cancelling(layers: nn::Sequential, shape: &[usize]) -> Session {
    let build = || -> Result<Session, Error> {
        let mut graph = Graph::new();
        let x = graph.input("x", shape)?;
        let labels = graph.input_i32("labels", shape[0])?;
        let net =
            layers.add("flatten", nn::Flatten).add("last", nn::Linear::new(shape[1..].iter().product(), 5));
        let logits = net.forward(&mut graph, x, Mode::Train)?;
        let loss = graph.cross_entropy(logits, labels)?;
        let rate = graph.input_scalar("rate")?;
        optim::Sgd::new(rate).minimize(&mut graph, loss)?;
        // Otherwise the plan knows that these gradients are zero.
        let options = PlanOptions::default().without(Fusion::NormBias);
        let plan = Plan::with_options(&graph, &[loss], device().caps(), &options)?;
        let weights = Weights::init(device(), &graph, 0)?;
        let mut session = Session::new(device(), plan, &weights)?;
        session.write(x, &numbers(shape, 1))?;
        session.write(labels, &harness::labels(shape[0], 5, 2))?;
        session.write_scalar(rate, 0.1)?;
        Ok(session)
    };
    build().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn sums_that_cancel_are_measured_by_their_terms() {
    let conv = nn::Sequential::new()
        .add("conv", nn::Conv2d::new(3, 3, [3, 3]).padding([1, 1]))
        .add("norm", nn::BatchNorm::new(3));
    let linear = nn::Sequential::new().add("fc", nn::Linear::new(12, 12)).add("norm", nn::BatchNorm::new(12));
    // The means of what the second norm gets are zero too.
    let twice = nn::Sequential::new()
        .add("norm", nn::BatchNorm::new(3))
        .add("conv", nn::Conv2d::new(3, 3, [1, 1]).bias(false))
        .add("again", nn::BatchNorm::new(3));
    for (layers, shape, operator) in [
        (conv, &[16, 3, 9, 7][..], "sum"),
        (linear, &[33, 12], "linear_grad_weight"),
        (twice, &[8, 3, 9, 7], "batch_norm"),
    ] {
        let verified = cancelling(layers, shape).verify().unwrap_or_else(|e| panic!("{e}"));
        assert!(verified.iter().any(|v| v.operator == operator), "{verified:?}");
    }
}

/// Sums that nearly cancel, and of which the rest is all rounding: gradients of batch norm's weight and input in front of another,
/// of a norm that is given, a mean that another function follows, a divergence of near equals, an exponential
/// less what it is within a chain.
#[test]
fn other_sums_that_cancel_are_measured_by_their_terms() -> Result<(), Error> {
    for (name, shape) in [
        ("batch_norm", [8, 3, 9, 7]),
        ("batch_norm of two", [2, 5, 1, 1]),
        ("layer_norm", [33, 5, 1, 7]),
        ("mean", [4, 3, 9, 7]),
        ("divergence", [4, 3, 9, 7]),
        ("difference", [4, 3, 9, 7]),
    ] {
        let mut g = Graph::new();
        let x = g.input("x", shape)?;
        let w = g.parameter("w", shape, Init::Uniform(1.0))?;
        let sum = g.add(x, w)?;
        let loss = match name {
            "mean" => {
                let normal = nn::BatchNorm::new(shape[1]).affine(false).forward(&mut g, sum, Mode::Train)?;
                let mean = g.mean(normal, &[0, 1, 2, 3], false)?;
                g.scale(mean, 3.0)?
            }
            "divergence" => {
                let small = g.scale(w, 1e-5)?;
                let (nearly, targets) = (g.add(x, small)?, g.exp(x)?);
                g.kl_div_loss(nearly, targets)?
            }
            "difference" => {
                let near = g.input("near", shape)?;
                let exponential = g.exp(x)?;
                let left = g.sub(exponential, near)?;
                let weighted = g.mul(left, w)?;
                g.mean(weighted, &[0, 1, 2, 3], false)?
            }
            "layer_norm" => {
                // The squares of what is normalised add up to the same whatever x is.
                let normal =
                    nn::LayerNorm::new([shape[3]]).affine(false).forward(&mut g, sum, Mode::Train)?;
                let squares = g.pow(normal, 2.0)?;
                g.mean(squares, &[0, 1, 2, 3], false)?
            }
            _ => {
                let normal = nn::BatchNorm::new(shape[1]).forward(&mut g, sum, Mode::Train)?;
                // Of values of mean 0 and variance 1 this takes both away again.
                let again = nn::BatchNorm::new(shape[1]).affine(false).track_running_stats(false);
                let twice = again.forward(&mut g, normal, Mode::Train)?;
                let logits = g.flatten(twice)?;
                let labels = g.constant(harness::labels(shape[0], 3, 2))?;
                g.cross_entropy(logits, labels)?
            }
        };
        let rate = g.input_scalar("rate")?;
        optim::Sgd::new(rate).minimize(&mut g, loss)?;
        let plan = Plan::new(&g, &[loss], device().caps())?;
        let mut session = Session::new(device(), plan, &Weights::init(device(), &g, 1)?)?;
        session.write(x, &numbers(shape, 1))?;
        session.write_scalar(rate, 0.1)?;
        if let Some(near) = g.find("near") {
            let exponentials: Vec<f32> = numbers(shape, 1).to_f64().iter().map(|x| x.exp() as f32).collect();
            session.write(near, &exponentials)?;
        }
        session.verify().unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    Ok(())
}

/// A bias gradient whose kernel leaves out the last term, under the real operator's reference.
#[derive(Debug)]
struct ForgetfulSum;

/// What it should compute.
fn whole() -> Reduce {
    Reduce::sum([0, 2, 3])
}

static FORGETFUL: ShaderFile = ShaderFile::new(
    "forgetful",
    "
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
const COUNT: u32 = 1u; // shape
@compute @workgroup_size(1)
fn main() {
    result[0] = 0.0;
    for (var i = 0u; i < COUNT; i++) {
        result[0] += source[i];
    }
}",
);

impl Operator for ForgetfulSum {
    fn name(&self) -> &'static str {
        "forgetful"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        whole().infer(inputs)
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<(), Error> {
        let elements = cx.input_type(0).shape.elements();
        let kernel = Kernel::new(&FORGETFUL).with("COUNT", elements as u32 - 1);
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch(kernel, &operands, 1);
        Ok(())
    }
}

impl Reference for ForgetfulSum {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        whole().reference(inputs)
    }

    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        whole().largest_sum_of_terms(output, inputs)
    }
}

#[test]
fn a_cancelling_sum_that_loses_one_term_is_still_named() {
    // Pairs that cancel exactly, as many as the second convolution of the MNIST network sums.
    const TERMS: usize = 64 * 14 * 14;
    let data: Vec<f32> = (0..TERMS).map(|i| if i % 2 == 0 { 0.5 } else { -0.5 }).collect();
    let mut graph = Graph::new();
    let x = graph.input("x", [TERMS, 1, 1, 1]).unwrap();
    let sum = graph.apply1(ForgetfulSum, &[x]).unwrap();
    let plan = Plan::new(&graph, &[sum], device().caps()).unwrap();
    let weights = Weights::init(device(), &graph, 0).unwrap();
    let mut session = Session::new(device(), plan, &weights).unwrap();
    session.write(x, &data).unwrap();
    match session.verify() {
        Err(Error::Verify { operator, .. }) => assert_eq!(operator, "forgetful"),
        other => panic!("one term of {TERMS} was left out, found {other:?}"),
    }
}

/// A link's reference is compared where a view stands between it and the link before.
#[test]
fn a_chain_that_changes_its_shape_is_compared() -> Result<(), Error> {
    let mut graph = Graph::new();
    let (x, w) = (graph.input("x", [2, 3])?, graph.input("w", [3, 4])?);
    let product = graph.matmul(x, w)?;
    let active = graph.relu(product)?;
    let flat = graph.reshape(active, [8])?;
    let y = graph.relu(flat)?;
    let plan = Plan::new(&graph, &[y], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.write(x, &numbers([2, 3], 1))?;
    session.write(w, &numbers([3, 4], 2))?;
    session.verify()?;
    Ok(())
}
