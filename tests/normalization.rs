//! Normalisation: of rows against PyTorch's answers, batch norm with its statistics averaged, frozen and
//! untracked, and what is refused.

mod cases;
mod harness;

use cases::row_norm::{group, instance, layer};
use harness::fixture::{Fixture, assert_close};
use harness::{Case, device, numbers};
use safetensors::tensor::{Dtype, SafeTensors};
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::ops::batch_norm::BatchNormTrain;
use wgrad::ops::local_response_norm::LocalResponseNorm;
use wgrad::ops::row_norm::RowNorm;
use wgrad::{Error, Graph, HostTensor, Mode, Plan, Result, Session, Shape, Value, Weights, optim};

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
    let found = harness::run(&Case::new("huge", norm, vec![HostTensor::f32([2, 4], huge)]), "rows")?;
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

/// A training step of one layer on x (4, 3, 2, 5), whose loss is y times a constant.
struct Trained {
    graph: Graph,
    x: Value,
    y: Value,
    weights: Weights,
    session: Session,
}

const SHAPE: [usize; 4] = [4, 3, 2, 5];

fn trained(layer: &dyn Layer, mode: Mode) -> Result<Trained> {
    let mut graph = Graph::new();
    let x = graph.input("x", SHAPE)?;
    let y = graph.scoped("norm", |g| layer.forward(g, x, mode))?;
    let weights = Weights::init(device(), &graph, 0)?;
    let session = session(&graph, &[y], &weights)?;
    Ok(Trained { graph, x, y, weights, session })
}

impl Trained {
    /// Runs one step and verifies it.
    fn step(&mut self, x: &HostTensor) -> Result<Vec<f64>> {
        self.session.write(self.x, x)?;
        self.session.verify()?;
        Ok(self.session.read(self.y)?.to_f64())
    }

    fn stored(&self, name: &str) -> Vec<f64> {
        self.weights.read(&format!("norm.{name}")).expect("the weights hold it").to_f64()
    }
}

/// Mean and unbiased variance of channel `c`.
fn moments(x: &HostTensor, c: usize) -> (f64, f64) {
    let data = x.to_f64();
    let plane = SHAPE[2] * SHAPE[3];
    let channel: Vec<f64> = (0..data.len()).filter(|i| i / plane % SHAPE[1] == c).map(|i| data[i]).collect();
    let n = channel.len() as f64;
    let mean = channel.iter().sum::<f64>() / n;
    (mean, channel.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0))
}

/// PyTorch's `momentum=None`: the factor of the n-th batch is 1 / n.
#[test]
fn cumulative_averages_are_the_means_of_all_batches() -> Result<()> {
    let layer = nn::BatchNorm::new(SHAPE[1]).cumulative_average();
    let mut norm = trained(&layer, Mode::Train)?;
    let batches: Vec<HostTensor> = (1..=4).map(|seed| numbers(SHAPE, seed)).collect();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("norm.safetensors");
    for (i, batch) in batches.iter().enumerate() {
        if i == 3 {
            // The count survives a file, and goes by PyTorch's type in it.
            norm.weights.save(&file)?;
            let bytes = std::fs::read(&file).expect("the file was written");
            let held = SafeTensors::deserialize(&bytes).expect("the file is whole");
            let count = held.tensor("norm.num_batches_tracked").expect("the count is held");
            assert_eq!(
                (count.dtype(), count.shape(), count.data()),
                (Dtype::I64, &[][..], &3i64.to_le_bytes()[..])
            );
            norm = trained(&layer, Mode::Train)?;
            norm.weights.load(&file)?;
        }
        norm.step(batch)?;
        assert_eq!(norm.stored("num_batches_tracked"), [(i + 1) as f64]);
        for c in 0..SHAPE[1] {
            let seen = batches[..=i].iter().map(|batch| moments(batch, c));
            let n = (i + 1) as f64;
            let (mean, var) = seen.fold((0.0, 0.0), |(m, v), (mean, var)| (m + mean / n, v + var / n));
            for (name, expected) in [("running_mean", mean), ("running_var", var)] {
                let found = norm.stored(name)[c];
                assert!(
                    (found - expected).abs() < 1e-6,
                    "batch {i}, {name} of {c}: {found}, expected {expected}"
                );
            }
        }
    }
    // What a layer with a momentum has no use for it ignores, and one without needs.
    let fixed = trained(&nn::BatchNorm::new(SHAPE[1]), Mode::Train)?;
    fixed.weights.load(&file)?;
    fixed.weights.save(&file)?;
    let error = norm.weights.load(&file).expect_err("there is no count").to_string();
    assert!(error.contains("\"norm.num_batches_tracked\" [] is missing"), "{error}");
    Ok(())
}

#[test]
fn without_affine_the_output_is_normal_and_nothing_is_trained() -> Result<()> {
    let mut norm = trained(&nn::BatchNorm::new(SHAPE[1]).affine(false), Mode::Train)?;
    assert!(norm.graph.parameters().is_empty());
    let x = numbers(SHAPE, 1);
    let y = HostTensor::f32(SHAPE, norm.step(&x)?.iter().map(|&y| y as f32).collect());
    for c in 0..SHAPE[1] {
        let (mean, var) = moments(&y, c);
        let n = (SHAPE[0] * SHAPE[2] * SHAPE[3]) as f64;
        assert!(mean.abs() < 1e-6 && (var * (n - 1.0) / n - 1.0).abs() < 1e-3, "{mean} {var}");
    }
    Ok(())
}

#[test]
fn untracked_statistics_are_the_batchs_in_evaluation_too() -> Result<()> {
    let layer = nn::BatchNorm::new(SHAPE[1]).track_running_stats(false);
    let x = numbers(SHAPE, 1);
    let (mut train, mut eval) = (trained(&layer, Mode::Train)?, trained(&layer, Mode::Eval)?);
    assert_eq!(train.weights.names().collect::<Vec<_>>(), ["norm.bias", "norm.weight"]);
    let expected = train.step(&x)?;
    assert_eq!(expected, eval.step(&x)?);
    assert_eq!(expected, trained(&nn::BatchNorm::new(SHAPE[1]), Mode::Train)?.step(&x)?);
    let error = trained(&layer.freeze_statistics(), Mode::Train).map(drop).expect_err("there are none");
    assert!(error.to_string().contains("track_running_stats"), "{error}");
    Ok(())
}

/// Frozen, training goes by the running statistics and leaves them; weight and bias as asked.
#[test]
fn frozen_statistics_are_used_and_kept() -> Result<()> {
    for frozen_parameters in [false, true] {
        let mut layer = nn::BatchNorm::new(3).freeze_statistics();
        if frozen_parameters {
            layer = layer.freeze_parameters();
        }
        let net = nn::Sequential::new()
            .add("conv", nn::Conv2d::new(3, 3, [1, 1]))
            .add("norm", layer)
            .add("relu", nn::Relu)
            .add("flatten", nn::Flatten);
        let mut graph = Graph::new();
        let x = graph.input("x", SHAPE)?;
        let labels = graph.labels("labels", SHAPE[0])?;
        let logits = net.forward(&mut graph, x, Mode::Train)?;
        let loss = graph.cross_entropy(logits, labels)?;
        let rate = graph.scalar("rate")?;
        optim::Sgd::new(rate).minimize(&mut graph, loss)?;
        let weights = Weights::init(device(), &graph, 1)?;
        weights.write("norm.running_mean", &[0.1, -0.2, 0.3])?;
        weights.write("norm.running_var", &[0.5, 2.0, 1.0])?;
        weights.write("norm.weight", &[0.7, 1.2, -1.0])?;
        let read = |name: &str| weights.read(name).expect("the weights hold it").to_f64();
        let names = ["running_mean", "running_var", "weight", "bias"].map(|name| format!("norm.{name}"));
        let before = names.each_ref().map(|name| read(name));
        let conv = read("conv.weight");
        let mut session = session(&graph, &[loss], &weights)?;
        session.write(x, &numbers(SHAPE, 2))?;
        session.write(labels, &harness::labels(SHAPE[0], 3, 3))?;
        session.write_scalar(rate, 0.1)?;
        session.verify()?;
        let after = names.each_ref().map(|name| read(name));
        assert_eq!(before[..2], after[..2]);
        assert_eq!(before[2..] == after[2..], frozen_parameters);
        assert_ne!(conv, read("conv.weight"), "what lies before is trained through the norm");
        // Files hold all four either way.
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        weights.save(folder.path().join("w"))?;
        let bytes = std::fs::read(folder.path().join("w")).expect("the file was written");
        let held = SafeTensors::deserialize(&bytes).expect("the file is whole");
        assert!(names.iter().all(|name| held.tensor(name).is_ok()));
    }
    Ok(())
}

/// Frozen weights are state that a step reads where it updates the running statistics.
#[test]
fn weights_can_be_frozen_alone() -> Result<()> {
    let mut norm = trained(&nn::BatchNorm::new(SHAPE[1]).freeze_parameters(), Mode::Train)?;
    assert!(norm.graph.parameters().is_empty());
    norm.weights.write("norm.weight", &[2.0, -1.0, 0.5])?;
    norm.step(&numbers(SHAPE, 1))?;
    assert_ne!(norm.stored("running_mean"), [0.0; 3]);
    assert_eq!(norm.stored("weight"), [2.0, -1.0, 0.5]);
    Ok(())
}

/// The gradients of every combination of weights and statistics, one kind of evaluation included.
#[test]
fn batch_norm_gradients_are_slopes_with_or_without_weights() {
    for case in cases::batch_norm::partial("few", numbers([4, 3, 2], 5)) {
        let operator: &dyn std::any::Any = case.operator.as_ref();
        let affine = match (operator.downcast_ref::<BatchNormTrain>(), case.operator.name()) {
            (Some(train), _) => train.affine,
            (None, "batch_norm_eval") => false,
            _ => continue,
        };
        harness::finite::check_gradients(&case, if affine { &[0, 1, 2] } else { &[0] });
    }
}

/// Through frozen statistics and weights, the gradient is one function in the chain before it.
#[test]
fn a_frozen_norms_gradient_fuses() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", SHAPE)?;
    let dy = graph.input("dy", SHAPE)?;
    let layer = nn::BatchNorm::new(3).freeze_statistics().freeze_parameters();
    let y = layer.forward(&mut graph, x, Mode::Train)?;
    let z = graph.relu(y)?;
    let dx = graph.gradients_from(&[(z, dy)], &[x])?[0].expect("z depends on x");
    let plan = Plan::new(&graph, &[z, dx], device().caps())?;
    assert!(plan.to_string().contains("relu_grad + batch_norm_eval_grad_input"), "{plan}");
    assert_eq!(plan.dispatches().len(), 2, "{plan}");
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.write(x, &numbers(SHAPE, 1))?;
    session.write(dy, &numbers(SHAPE, 2))?;
    session.verify().map(drop)
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
        for variant in ["rows", "parts"] {
            let mut options = wgrad::PlanOptions::default();
            if shape.len() == 4 && shape[3] == 48 {
                options = options.variant("group_norm", variant).variant("group_norm_grad", variant);
            }
            let plan = Plan::with_options(&graph, &[y, dx], device().caps(), &options)?;
            let text = plan.to_string();
            assert!(text.contains("_norm + add + relu") && text.contains("_norm_grad + tanh_grad"), "{text}");
            let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
            for (seed, value) in (1..).zip([x, dy, other, weight, bias]) {
                session.write(value, &numbers(graph.shape(value).clone(), seed))?;
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
        let first = |value: Value| match graph.value(value).source.clone() {
            wgrad::graph::Source::Parameter(init) => init,
            other => panic!("a parameter is one, found {other:?}"),
        };
        let parameters: Vec<(String, Shape, Init)> = graph
            .parameters()
            .into_iter()
            .map(|value| (graph.value(value).name.clone(), graph.shape(value).clone(), first(value)))
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

/// Worked by hand, as PyTorch's documentation states the formula: windows of 3 channels reach one down and
/// one up, those of 2 one down alone, and alpha is divided by the size though a window is cut short.
#[test]
fn local_response_norm_agrees_with_a_worked_example() -> Result<()> {
    let x = [1.0f32, 2.0, -3.0];
    for (size, sums) in [(3, [5.0, 14.0, 13.0]), (2, [1.0, 5.0, 13.0]), (1, [1.0, 4.0, 9.0])] {
        let attributes = LocalResponseNorm { size, alpha: 0.6, beta: 0.5, k: 2.0 };
        let mut graph = Graph::new();
        let input = graph.input("x", [1, 3, 1])?;
        let y = nn::LocalResponseNorm::with(attributes).forward(&mut graph, input, Mode::Train)?;
        let mut session = session(&graph, &[y], &Weights::init(device(), &graph, 0)?)?;
        session.write(input, &x)?;
        session.step()?;
        for ((found, x), sum) in session.read(y)?.to_f64().iter().zip(x).zip(sums) {
            let expected = f64::from(x) / (2.0 + 0.6 / size as f64 * sum).sqrt();
            assert!((found - expected).abs() < 1e-6, "size {size}: {found}, expected {expected}");
        }
    }
    Ok(())
}

#[test]
fn local_response_norm_gradients_are_slopes() {
    let strong = |size| LocalResponseNorm { alpha: 2.0, ..LocalResponseNorm::new(size) };
    for (shape, attributes) in [
        (vec![2, 5, 3], strong(3)),
        (vec![2, 4, 2, 2], strong(4)),
        (vec![1, 3, 5], strong(8)),
        (vec![2, 3, 4], LocalResponseNorm { size: 2, alpha: 0.5, beta: 2.0, k: 0.7 }),
    ] {
        let name = format!("{shape:?} {attributes:?}");
        let [case, _] = cases::local_response_norm::pair(&name, numbers(shape, 3), attributes);
        harness::finite::check_gradients(&case, &[0]);
    }
}

#[test]
fn local_responses_that_do_not_fit_are_refused() {
    let plain = LocalResponseNorm::new(5);
    for (shape, attributes, words) in [
        (&[2, 3][..], plain, "Expected 3D or higher dimensionality input (got 2 dimensions)"),
        (&[2, 3, 4], LocalResponseNorm::new(0), "size must be at least 1, found 0"),
        (&[2, 3, 4], LocalResponseNorm { beta: f32::NAN, ..plain }, "beta must be a finite number"),
        (&[2, 3, 4], LocalResponseNorm { alpha: f32::INFINITY, ..plain }, "alpha must be a finite number"),
    ] {
        let mut graph = Graph::new();
        let x = graph.input("x", shape).expect("the input is valid");
        let error = graph.local_response_norm(x, attributes).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}
