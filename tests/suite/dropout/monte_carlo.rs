//! Monte-Carlo estimates, and the average over all masks, against that average in f64.

use crate::harness::{device, numbers};
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::{Graph, Mode, MonteCarlo, Plan, Result, Session, Value, Weights};

pub(super) const ROWS: usize = 3;
pub(super) const INPUTS: usize = 4;
const HIDDEN: usize = 6;
pub(super) const CLASSES: usize = 3;
const KEEP: f64 = 0.7;

/// A classifier with one hidden layer, and the estimate of what it predicts.
struct Classifier {
    graph: Graph,
    x: Value,
    estimate: MonteCarlo,
}

pub(super) fn network(seed: u64) -> nn::Sequential {
    nn::Sequential::new()
        .add("fc1", nn::Linear::new(INPUTS, HIDDEN))
        .add("norm", nn::BatchNorm::new(HIDDEN))
        .add("tanh", nn::Tanh)
        .add("dropout", nn::Dropout::new(1.0 - KEEP).seed(seed))
        .add("fc2", nn::Linear::new(HIDDEN, CLASSES))
}

fn classifier(seed: u64) -> Result<Classifier> {
    let mut graph = Graph::new();
    let x = graph.input("x", [ROWS, INPUTS])?;
    let net = network(seed);
    let logits = net.forward(&mut graph, x, Mode::MonteCarlo)?;
    let probabilities = graph.softmax(logits, 1)?;
    let estimate = graph.monte_carlo(&[probabilities, logits])?;
    Ok(Classifier { graph, x, estimate })
}

/// Weights large enough that a unit more or less matters.
pub(super) fn classifier_weights() -> Result<Weights> {
    // As a training graph has them, without room for moments.
    let mut graph = Graph::new();
    for (name, shape) in [("fc1", [HIDDEN, INPUTS]), ("fc2", [CLASSES, HIDDEN])] {
        graph.parameter(&format!("{name}.weight"), shape, Init::Uniform(2.0))?;
        graph.parameter(&format!("{name}.bias"), [shape[0]], Init::Uniform(1.0))?;
    }
    graph.parameter("norm.weight", [HIDDEN], Init::Uniform(2.0))?;
    graph.parameter("norm.bias", [HIDDEN], Init::Uniform(1.0))?;
    graph.state("norm.running_mean", [HIDDEN], Init::Uniform(0.5), true)?;
    graph.state("norm.running_var", [HIDDEN], Init::Constant(1.3), true)?;
    Weights::init(device(), &graph, 5)
}

/// Mean, variance and fourth central moment of each probability, or logit, over all masks of the hidden units.
pub(super) fn over_all_masks(weights: &Weights, x: &[f64], softmax: bool) -> Result<Vec<[f64; 3]>> {
    let read = |name: &str| weights.read(name).map(|tensor| tensor.to_f64());
    let [w1, b1, w2, b2] = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"].map(read);
    let [scale, shift, mean, var] =
        ["norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"].map(read);
    let (w1, b1, w2, b2, scale, shift, mean, var) = (w1?, b1?, w2?, b2?, scale?, shift?, mean?, var?);
    let mut moments = Vec::new();
    for row in x.chunks(INPUTS) {
        let hidden: Vec<f64> = (0..HIDDEN)
            .map(|h| {
                let sum: f64 = (0..INPUTS).map(|i| w1[h * INPUTS + i] * row[i]).sum();
                ((sum + b1[h] - mean[h]) / (var[h] + 1e-5).sqrt() * scale[h] + shift[h]).tanh()
            })
            .collect();
        let outputs: Vec<(f64, Vec<f64>)> = (0..1usize << HIDDEN)
            .map(|mask| {
                let kept = |h: usize| mask >> h & 1 == 1;
                let weight = (0..HIDDEN).map(|h| if kept(h) { KEEP } else { 1.0 - KEEP }).product();
                let logits: Vec<f64> = (0..CLASSES)
                    .map(|c| {
                        let terms = (0..HIDDEN).filter(|&h| kept(h));
                        b2[c] + terms.map(|h| w2[c * HIDDEN + h] * hidden[h] / KEEP).sum::<f64>()
                    })
                    .collect();
                let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
                let result = logits.iter().map(|&l| if softmax { l.exp() / total } else { l }).collect();
                (weight, result)
            })
            .collect();
        for c in 0..CLASSES {
            let over =
                |f: &dyn Fn(f64) -> f64| outputs.iter().map(|(weight, y)| weight * f(y[c])).sum::<f64>();
            let mean = over(&|y| y);
            moments.push([mean, over(&|y| (y - mean).powi(2)), over(&|y| (y - mean).powi(4))]);
        }
    }
    Ok(moments)
}

/// The estimate of k samples is within four of its standard deviations, which shrink with the root of k, of the
/// average over all 64 masks; so is the estimated variance.
#[test]
fn monte_carlo_approaches_the_average_over_all_masks() -> Result<()> {
    let (weights, Classifier { graph, x, estimate }) = (classifier_weights()?, classifier(1)?);
    let weights = weights.with_state_of(&graph)?;
    let input = numbers([ROWS, INPUTS], 9);
    let mut errors = Vec::new();
    for samples in [32, 512, 4096] {
        let plan = Plan::new(&graph, &[], device().caps())?;
        let mut session = Session::new(device(), plan, &weights)?;
        session.write(x, &input)?;
        let before = session.counters();
        let found = session.monte_carlo(&estimate, samples)?;
        let after = session.counters();
        assert_eq!(after.steps - before.steps, samples as u64);
        let read_back = 2 * 2 * 4 * (ROWS * CLASSES) as u64;
        assert_eq!(after.bytes_read_back - before.bytes_read_back, read_back, "moments alone are read back");
        assert_eq!(after.allocations - before.allocations, 1, "in one go");
        let k = samples as f64;
        let mut sum = 0.0;
        for (softmax, found) in [true, false].into_iter().zip(&found) {
            let exact = over_all_masks(&weights, &input.to_f64(), softmax)?;
            assert_eq!(found.mean.shape[..], [ROWS, CLASSES]);
            let pairs = found.mean.to_f64().into_iter().zip(found.variance.to_f64());
            for ((mean, variance), [exact_mean, exact_variance, fourth]) in pairs.zip(exact) {
                assert!(exact_variance > 1e-4, "the masks matter: {exact_variance}");
                let bound = 4.0 * (exact_variance / k).sqrt();
                assert!(
                    (mean - exact_mean).abs() < bound,
                    "{samples}: {mean}, expected {exact_mean} +- {bound}"
                );
                sum += (mean - exact_mean).powi(2) / exact_variance;
                // The variance of an estimated variance: (fourth - variance^2 (k - 3) / (k - 1)) / k.
                let of_variance = (fourth - exact_variance.powi(2) * (k - 3.0) / (k - 1.0)) / k;
                let bound = 4.0 * of_variance.sqrt();
                assert!(
                    (variance - exact_variance).abs() < bound,
                    "{samples}: variance {variance}, expected {exact_variance} +- {bound}"
                );
            }
        }
        errors.push((sum / (2 * ROWS * CLASSES) as f64).sqrt());
    }
    // From 32 to 4096 the root of k grows 11 times.
    assert!(errors[2] < errors[0] / 4.0, "{errors:?}");
    Ok(())
}

#[test]
fn monte_carlo_repeats_by_seed_and_begins_anew() -> Result<()> {
    let weights = classifier_weights()?;
    let run = |seed: u64, first_step: u32| {
        let Classifier { graph, x, estimate } = classifier(seed)?;
        let weights = weights.with_state_of(&graph)?;
        let mut session = Session::new(device(), Plan::new(&graph, &[], device().caps())?, &weights)?;
        session.write(x, &numbers([ROWS, INPUTS], 2))?;
        // What an estimate before left behind does not count.
        session.monte_carlo(&estimate, 7)?;
        session.set_step_number(first_step);
        session.write(x, &numbers([ROWS, INPUTS], 9))?;
        session.monte_carlo(&estimate, 20)
    };
    let first = run(1, 0)?;
    assert_eq!(first, run(1, 0)?);
    assert_ne!(first, run(2, 0)?);
    assert_ne!(first, run(1, 20)?);
    Ok(())
}

/// Running statistics are used and not moved, and weights are shared with the training graph's sessions.
#[test]
fn monte_carlo_leaves_the_weights_alone() -> Result<()> {
    let (weights, Classifier { graph, x, estimate }) = (classifier_weights()?, classifier(1)?);
    let refused = Session::new(device(), Plan::new(&graph, &[], device().caps())?, &weights).map(drop);
    assert!(refused.expect_err("there is no room for moments").to_string().contains("monte_carlo"));
    let extended = weights.with_state_of(&graph)?;
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    let contents = || names.iter().map(|name| weights.read(name)).collect::<Result<Vec<_>>>();
    let before = contents()?;
    let mut session = Session::new(device(), Plan::new(&graph, &[], device().caps())?, &extended)?;
    session.write(x, &numbers([ROWS, INPUTS], 9))?;
    let first = session.monte_carlo(&estimate, 3)?;
    assert_eq!(before, contents()?);
    session.verify()?;
    // What is written to the training graph's weights, these have.
    weights.write("fc2.bias", &[5.0, 0.0, 0.0])?;
    session.set_step_number(0);
    assert_ne!(first, session.monte_carlo(&estimate, 3)?);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    extended.save(folder.path().join("w"))?;
    weights.load(folder.path().join("w"))?;
    for samples in [0, 1, (1 << 24) + 1] {
        let error = session.monte_carlo(&estimate, samples).expect_err("no number of samples").to_string();
        assert!(error.starts_with("samples: must be between 2 and 16777216"), "{error}");
    }
    let other = classifier(1)?;
    assert!(session.monte_carlo(&other.estimate, 2).is_err(), "the estimate is of another graph");
    Ok(())
}

#[test]
fn only_what_a_step_computes_has_moments() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [4])?;
    let error = graph.monte_carlo(&[x]).expect_err("x is an input").to_string();
    assert!(error.contains("\"x\"") && error.contains("that the step computes"), "{error}");
    let y = graph.relu(x)?;
    graph.monte_carlo(&[y])?;
    let error = graph.monte_carlo(&[y]).expect_err("it has them already").to_string();
    assert!(error.contains("takes a name"), "{error}");
    Ok(())
}
