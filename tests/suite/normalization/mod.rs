//! Normalisation of rows: PyTorch's answers, gradients, chains, layers, refusals.

pub mod batch;
mod local_response;

use crate::cases::row_norm::{group, instance, layer};
use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::{Case, device, floats, numbers};
use crate::{cases, harness};
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::ops::row_norm::RowNorm;
use wgrad::{Error, Graph, Mode, Plan, Result, Session, Shape, Value, Weights};

/// What f32 rounding may change, relative to a tensor's largest value.
const TOLERANCE: f64 = 1e-5;

fn session(graph: &Graph, outputs: &[Value], weights: &Weights) -> Result<Session> {
    Session::new(device(), Plan::new(graph, outputs, device().caps())?, weights)
}

fn check_rows(
    fixture: &Fixture,
    apply: impl Fn(&mut Graph, Value, Value, Value) -> Result<Value>,
) -> Result<()> {
    let mut graph = Graph::new();
    let shape = fixture.array("input").shape.clone();
    let of = fixture.array("weight").shape.clone();
    let (x, dy) = (graph.input("x", shape.clone())?, graph.input("dy", shape)?);
    let (weight, bias) = (graph.input("weight", of.clone())?, graph.input("bias", of)?);
    let y = apply(&mut graph, x, weight, bias)?;
    let gradients = graph.gradients_from(&[(y, dy)], &[x, weight, bias])?;
    let gradients: Vec<Value> =
        gradients.into_iter().map(|gradient| gradient.expect("y depends on all")).collect();
    let mut session =
        session(&graph, &[vec![y], gradients.clone()].concat(), &Weights::init(device(), &graph, 0)?)?;
    for (value, name) in [(x, "input"), (dy, "grad_output"), (weight, "weight"), (bias, "bias")] {
        session.write(value, &fixture.f32(name))?;
    }
    session.step()?;
    assert_close(fixture, "output", &session.read(y)?, TOLERANCE);
    for (name, &gradient) in ["grad_input", "grad_weight", "grad_bias"].iter().zip(&gradients) {
        assert_close(fixture, name, &session.read(gradient)?, TOLERANCE);
    }
    Ok(())
}

#[test]
fn layer_norm_agrees_with_pytorch() -> Result<()> {
    for fixture in Fixture::of("norm", "layer_norm") {
        let shape = fixture.array("weight").shape.clone();
        let eps = fixture.number("eps", 1e-5) as f32;
        check_rows(&fixture, |g, x, weight, bias| {
            g.layer_norm(x, shape.clone(), Some(weight), Some(bias), eps)
        })?;
    }
    Ok(())
}

#[test]
fn group_and_instance_norm_agree_with_pytorch() -> Result<()> {
    for fixture in Fixture::of("norm", "group_norm") {
        let groups = fixture.number("groups", 0.0) as usize;
        let eps = fixture.number("eps", 1e-5) as f32;
        check_rows(&fixture, |g, x, weight, bias| g.group_norm(x, groups, Some(weight), Some(bias), eps))?;
        if groups == fixture.array("weight").shape[0] {
            check_rows(&fixture, |g, x, weight, bias| g.instance_norm(x, Some(weight), Some(bias), eps))?;
        }
    }
    Ok(())
}

#[test]
fn row_norm_gradients_are_slopes() {
    let bare = |norm: RowNorm| RowNorm { weight: false, bias: false, ..norm };
    for (shape, norm) in [
        (vec![3, 5], layer(&[5])),
        (vec![2, 3, 4], layer(&[3, 4])),
        (vec![2, 3, 4], RowNorm { bias: false, ..layer(&[4]) }),
        (vec![2, 3, 4], RowNorm { weight: false, ..layer(&[4]) }),
        (vec![2, 6, 2, 3], group(2)),
        (vec![2, 6, 2, 3], bare(group(3))),
        (vec![2, 3, 2, 3], instance()),
        (vec![2, 3, 7], bare(instance())),
    ] {
        let name = format!("{shape:?}");
        let case = cases::row_norm::family(&name, numbers(shape, 4), norm).swap_remove(0);
        let by: Vec<usize> = (0..case.inputs.len()).collect();
        harness::finite::check_gradients(&case, &by);
    }
}

/// Squares of deviations past f32's range make the deviation infinite, and what is divided by it zero.
#[test]
fn deviations_that_overflow_leave_zeros() -> Result<()> {
    let huge = vec![1e30, -1e30, 3e29, 0.0, 1e20, 1e20, -1e20, -1e20];
    let norm = RowNorm { weight: false, bias: false, ..layer(&[4]) };
    let found = harness::run(&Case::new("huge", norm, vec![floats([2, 4], huge)]), "wide")?;
    assert_eq!(found[0].to_f64(), [0.0; 8]);
    Ok(())
}

#[test]
fn rows_that_do_not_fit_are_refused_in_pytorchs_words() {
    type Build = fn(&mut Graph, Value) -> Result<Value>;
    let cases: [(&[usize], Build, &str); 11] = [
        (
            &[5, 3, 32],
            |g, x| g.layer_norm(x, [33], None, None, 1e-5),
            "layer_norm \"layer_norm\": Given normalized_shape=[33], expected input with shape [*, 33], but got input of size [5, 3, 32]",
        ),
        (
            &[5, 32],
            |g, x| g.layer_norm(x, [2, 5, 32], None, None, 1e-5),
            "Given normalized_shape=[2, 5, 32], expected input with shape [*, 2, 5, 32]",
        ),
        (
            &[5, 32],
            |g, x| g.layer_norm(x, [usize::MAX, 32], None, None, 1e-5),
            "but got input of size [5, 32]",
        ),
        (&[5], |g, x| g.layer_norm(x, Shape::scalar(), None, None, 1e-5), "at least 1-dimensional"),
        (&[5], |g, x| g.layer_norm(x, [5], None, None, 0.0), "eps must be above 0, found 0"),
        (
            &[2, 6, 4, 4],
            |g, x| g.group_norm(x, 4, None, None, 1e-5),
            "Expected number of channels in input to be divisible by num_groups, but got input of shape [2, 6, 4, 4] and num_groups=4",
        ),
        (&[2, 6, 4], |g, x| g.group_norm(x, 0, None, None, 1e-5), "and num_groups=0"),
        (&[2, 6, 4], |g, x| g.group_norm(x, usize::MAX, None, None, 1e-5), "divisible by num_groups"),
        (
            &[6],
            |g, x| g.group_norm(x, 1, None, None, 1e-5),
            "Expected at least 2 dimensions for input tensor but received 1",
        ),
        (
            &[2, 6, 1, 1],
            |g, x| g.instance_norm(x, None, None, 1e-5),
            "Expected more than 1 spatial element when training, got input size [2, 6, 1, 1]",
        ),
        (
            &[2, 6, 4],
            |g, x| {
                let weight = g.input("weight", [5])?;
                g.instance_norm(x, Some(weight), None, 1e-5)
            },
            "expected weight as f32[6] for an input of [2, 6, 4], found f32[5]",
        ),
    ];
    for (shape, build, words) in cases {
        let mut graph = Graph::new();
        let x = graph.input("x", shape).expect("the input is valid");
        let error = build(&mut graph, x).expect_err(words).to_string();
        assert!(error.contains(words), "expected \"{words}\" in: {error}");
        assert_eq!(graph.nodes().count(), 0);
    }
}

/// Behind every way of making rows, and every way of their gradients, a chain follows in the same kernel.
#[test]
fn chains_follow_normalised_rows() -> Result<()> {
    for (shape, norm) in [
        (vec![6, 20], layer(&[20])),
        (vec![3, 5, 7], layer(&[7])),
        (vec![2, 6, 3, 5], group(2)),
        (vec![2, 4, 64, 48], group(1)),
    ] {
        let mut graph = Graph::new();
        let x = graph.input("x", shape.clone())?;
        let dy = graph.input("dy", shape.clone())?;
        let other = graph.input("other", shape.clone())?;
        let hidden = graph.tanh(x)?;
        let of = match &norm.rows {
            wgrad::ops::row_norm::Rows::Layer { normalized_shape } => normalized_shape.clone(),
            _ => [shape[1]].into(),
        };
        let [weight, bias] = [graph.input("weight", of.clone())?, graph.input("bias", of)?];
        let normal = graph.apply(norm, &[hidden, weight, bias])?[0];
        let sum = graph.add(normal, other)?;
        let y = graph.relu(sum)?;
        let dx = graph.gradients_from(&[(y, dy)], &[x])?[0].expect("y depends on x");
        for variant in ["wide", "narrow", "parts"] {
            let mut options = wgrad::PlanOptions::default();
            if shape.len() == 4 && shape[3] == 48 {
                options = options.variant("group_norm", variant).variant("group_norm_grad", variant);
            }
            let plan = Plan::with_options(&graph, &[y, dx], device().caps(), &options)?;
            let text = plan.to_string();
            assert!(text.contains("_norm + add + relu") && text.contains("_norm_grad + tanh_grad"), "{text}");
            let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
            for (seed, value) in (1..).zip([x, dy, other, weight, bias]) {
                session.write(value, &numbers(graph.shape(value).expect("of this graph").clone(), seed))?;
            }
            session.verify()?;
        }
    }
    Ok(())
}

#[test]
fn layers_have_pytorchs_parameters() {
    let built = |layer: &dyn Layer| {
        let mut graph = Graph::new();
        let x = graph.input("x", [2, 6, 4, 5]).expect("the input is valid");
        layer.forward(&mut graph, x, Mode::Eval).expect("the layer fits");
        let first = |value: Value| match graph.value(value).expect("of this graph").source.clone() {
            wgrad::graph::Source::Parameter(init) => init,
            other => panic!("a parameter is one, found {other:?}"),
        };
        let parameters: Vec<(String, Shape, Init)> = graph
            .parameters()
            .into_iter()
            .map(|value| {
                (
                    graph.value(value).expect("of this graph").name.clone(),
                    graph.shape(value).expect("of this graph").clone(),
                    first(value),
                )
            })
            .collect();
        parameters
    };
    let pair = |shape: &[usize]| {
        let each = |name: &str, first: f32| (name.to_owned(), Shape::from(shape), Init::Constant(first));
        vec![each("weight", 1.0), each("bias", 0.0)]
    };
    assert_eq!(built(&nn::LayerNorm::new([4, 5])), pair(&[4, 5]));
    assert_eq!(built(&nn::LayerNorm::new([5]).bias(false)), pair(&[5])[..1]);
    assert_eq!(built(&nn::LayerNorm::new([5]).affine(false).eps(1e-3)), []);
    assert_eq!(built(&nn::GroupNorm::new(3, 6)), pair(&[6]));
    assert_eq!(built(&nn::GroupNorm::new(3, 6).affine(false).eps(1e-3)), []);
    assert_eq!(built(&nn::InstanceNorm::new(6)), []);
    assert_eq!(built(&nn::InstanceNorm::new(6).affine(true).eps(1e-3)), pair(&[6]));
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 6, 4]).expect("the input is valid");
    let error: Error = nn::GroupNorm::new(2, 4).forward(&mut graph, x, Mode::Train).expect_err("4 are not 6");
    assert!(error.to_string().contains("expected weight as f32[6]"), "{error}");
}
