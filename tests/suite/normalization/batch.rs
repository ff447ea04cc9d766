//! Batch norm with its statistics averaged, frozen and untracked, and without weights.

use super::session;
use crate::harness::{Case, device, floats, numbers};
use crate::{cases, harness};
use safetensors::tensor::{Dtype, SafeTensors};
use wgrad::nn::{self, Layer};
use wgrad::ops::batch_norm::{BatchNorm, BatchNormGrad, BatchNormTrain};
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session, Value, Weights, optim};

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
    let y = floats(SHAPE, norm.step(&x)?.iter().map(|&y| y as f32).collect());
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
        let labels = graph.input_i32("labels", SHAPE[0])?;
        let logits = net.forward(&mut graph, x, Mode::Train)?;
        let loss = graph.cross_entropy(logits, labels)?;
        let rate = graph.input_scalar("rate")?;
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

/// Fused with pooling, too, averages and what lacks weights or statistics are what they are alone.
#[test]
fn every_kind_fuses_with_pooling() -> Result<()> {
    let plain = nn::BatchNorm::new(3);
    for layer in [
        plain.clone().cumulative_average(),
        plain.clone().affine(false),
        plain.clone().track_running_stats(false),
        plain.cumulative_average().affine(false),
    ] {
        let shape = [4, 3, 4, 6];
        let net = nn::Sequential::new()
            .add("norm", layer.clone())
            .add("relu", nn::Relu)
            .add("pool", nn::MaxPool2d::new([2, 2]));
        let mut graph = Graph::new();
        let x = graph.input("x", shape)?;
        let y = net.forward(&mut graph, x, Mode::Train)?;
        let dy = graph.input("dy", [4, 3, 2, 3])?;
        let dx = graph.gradients_from(&[(y, dy)], &[x])?[0].expect("y depends on x");
        let plan = Plan::new(&graph, &[y, dx], device().caps())?;
        assert!(plan.to_string().contains("batch_norm + relu + max_pool2d"), "{layer:?} {plan}");
        let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
        session.write(x, &numbers(shape, 1))?;
        session.write(dy, &numbers([4, 3, 2, 3], 2))?;
        for _ in 0..2 {
            session.verify()?;
        }
    }
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

/// Squares of deviations past f32's range make the deviation infinite, and what is divided by it zero.
#[test]
pub fn deviations_that_overflow_leave_zeros() -> Result<()> {
    let huge = floats([2, 2, 2], vec![1e30, -1e30, 1e20, 0.0, 3e29, 0.0, -1e20, 1e20]);
    let train = BatchNormTrain { norm: BatchNorm::default(), affine: false, tracked: false };
    let case = Case::new("huge", train, vec![huge.clone()]);
    for variant in case.variants() {
        let found = harness::run(&case, variant)?;
        assert_eq!(found[0].to_f64(), [0.0; 8], "{variant}");
        let gradient = vec![huge.clone(), numbers([2, 2, 2], 1), found[1].clone()];
        let case = Case::new("huge, gradient", BatchNormGrad::default(), gradient);
        assert_eq!(harness::run(&case, variant)?[0].to_f64(), [0.0; 8], "{variant}");
    }
    Ok(())
}
