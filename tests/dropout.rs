//! Dropout: the generator against its published vectors, the masks' statistics and what they depend on,
//! channels, chains, and Monte-Carlo estimates against all masks there are.

mod harness;

use harness::{Case, device, numbers};
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::ops::dropout::{Dropout, Unit};
use wgrad::reference::dropout::philox4x32;
use wgrad::{Graph, HostData, HostTensor, Mode, MonteCarlo, Plan, Result, Session, Shape, Value, Weights};

fn session(graph: &Graph, outputs: &[Value]) -> Result<Session> {
    let plan = Plan::new(graph, outputs, device().caps())?;
    Session::new(device(), plan, &Weights::init(device(), graph, 0)?)
}

/// The mask of one dropout over `size` elements in step `step`.
fn mask(size: usize, keep: f32, seed: u64, step: u32) -> Result<Vec<f64>> {
    let mut graph = Graph::new();
    let x = graph.input("x", [size])?;
    let y = graph.dropout(x, keep, seed, Mode::Train)?;
    let mask = graph.dropout_mask(y)?;
    let mut session = session(&graph, &[mask])?;
    session.set_step_number(step);
    session.step()?;
    Ok(session.read(mask)?.to_f64())
}

/// Part of the elements in which two masks agree.
fn agreement(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64
}

/// The known answers that the generator's authors publish with their library (Random123).
#[test]
fn philox_gives_the_published_vectors() {
    let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    for (counter, key, words) in [
        ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (pi, [0xa409_3822, 0x299f_31d0], [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
    ] {
        assert_eq!(philox4x32(counter, key), words);
    }
}

#[test]
fn masks_keep_each_unit_with_the_probability_and_by_itself() -> Result<()> {
    const SIZE: usize = 100_003;
    for keep in [0.1, 0.5, 0.8] {
        let mask = mask(SIZE, keep, 7, 0)?;
        assert!(mask.iter().all(|&kept| kept == 0.0 || kept == 1.0));
        let (keep, size) = (f64::from(keep), SIZE as f64);
        let mean = mask.iter().sum::<f64>() / size;
        // Four standard deviations of a mean of independent draws.
        let bound = 4.0 * (keep * (1.0 - keep) / size).sqrt();
        assert!((mean - keep).abs() < bound, "{mean} of the units are kept, expected {keep}");
        // Neighbours, words of one call, lanes of a workgroup and the next calls are uncorrelated.
        for lag in [1, 2, 3, 4, 5, 8, 64, 256, 1024] {
            let products = mask.iter().zip(&mask[lag..]).map(|(a, b)| (a - keep) * (b - keep));
            let correlation = products.sum::<f64>() / (size * keep * (1.0 - keep));
            assert!(correlation.abs() < 4.0 / size.sqrt(), "keep {keep}, lag {lag}: {correlation}");
        }
    }
    Ok(())
}

#[test]
fn masks_differ_between_steps_seeds_and_nodes_and_repeat_otherwise() -> Result<()> {
    const SIZE: usize = 40_001;
    let base = mask(SIZE, 0.5, 7, 3)?;
    assert_eq!(base, mask(SIZE, 0.5, 7, 3)?);
    for (what, other) in [
        ("step", mask(SIZE, 0.5, 7, 4)?),
        ("seed", mask(SIZE, 0.5, 8, 3)?),
        ("seed's high word", mask(SIZE, 0.5, 7 | 1 << 32, 3)?),
    ] {
        let same = agreement(&base, &other);
        assert!((same - 0.5).abs() < 0.02, "another {what} agrees in {same} of the units");
    }
    let mut graph = Graph::new();
    let x = graph.input("x", [SIZE])?;
    let first = graph.dropout(x, 0.5, 7, Mode::Train)?;
    let second = graph.dropout(first, 0.5, 7, Mode::Train)?;
    let masks = [graph.dropout_mask(first)?, graph.dropout_mask(second)?];
    let mut session = session(&graph, &masks)?;
    session.set_step_number(3);
    session.step()?;
    let [first, second] = masks;
    let (first, second) = (session.read(first)?.to_f64(), session.read(second)?.to_f64());
    assert_eq!(first, base);
    let same = agreement(&first, &second);
    assert!((same - 0.5).abs() < 0.02, "another node agrees in {same} of the units");
    Ok(())
}

#[test]
fn the_backward_pass_uses_the_masks_of_the_forward_pass() -> Result<()> {
    for size in [24, 1023] {
        let mut graph = Graph::new();
        let x = graph.input("x", [size])?;
        let dy = graph.input("dy", [size])?;
        let hidden = graph.dropout(x, 0.8, 11, Mode::Train)?;
        let y = graph.dropout(hidden, 0.5, 11, Mode::Train)?;
        let dx = graph.gradients_from(&[(y, dy)], &[x])?[0].expect("y depends on x");
        // A dropout added after the gradients has bits of its own too.
        let later = graph.dropout(x, 0.5, 11, Mode::Train)?;
        let mask = graph.dropout_mask(later)?;
        let mut session = session(&graph, &[y, dx, mask])?;
        session.write(x, &vec![1.0; size])?;
        session.write(dy, &vec![1.0; size])?;
        let mut before = Vec::new();
        for _ in 0..3 {
            session.step()?;
            let (forward, backward) = (session.read(y)?.to_f64(), session.read(dx)?.to_f64());
            assert!(forward.contains(&0.0) && forward.contains(&2.5));
            assert_eq!(forward, backward);
            assert_ne!(forward, before, "two steps drop the same units");
            assert_ne!(session.read(mask)?.to_f64(), forward.iter().map(|y| y / 2.5).collect::<Vec<_>>());
            before = forward;
        }
        session.verify()?;
    }
    Ok(())
}

#[test]
fn a_backward_rule_agrees_with_finite_differences() {
    let step = HostTensor { shape: Shape::scalar(), data: HostData::U32(vec![9]) };
    let dropout = Dropout { keep: 0.7, of: Unit::Element, seed: 5, node: 2 };
    harness::finite::check_gradients(&Case::new("a prime", dropout, vec![numbers([3, 7], 1), step]), &[0]);
}

#[test]
fn without_anything_to_drop_the_value_itself_comes_back() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [4])?;
    assert_eq!(graph.dropout(x, 0.5, 0, Mode::Eval)?, x);
    assert_eq!(graph.dropout(x, 1.0, 0, Mode::Train)?, x);
    let error = graph.dropout_mask(x).expect_err("x is an input");
    assert_eq!(error.to_string(), "graph: \"x\" is not the output of a dropout");
    for keep in [0.0, -0.5, 1.5, f32::NAN, f32::INFINITY] {
        for mode in [Mode::Train, Mode::Eval] {
            let error = graph.dropout(x, keep, 0, mode).expect_err("no probability");
            assert!(error.to_string().contains("must be above 0 and at most 1"), "{error}");
        }
    }
    assert_eq!(graph.nodes().count(), 0);
    Ok(())
}

#[test]
fn channels_are_dropped_whole_and_by_themselves() -> Result<()> {
    const SHAPE: [usize; 4] = [61, 83, 3, 4];
    let mut graph = Graph::new();
    let x = graph.input("x", SHAPE)?;
    let dy = graph.input("dy", SHAPE)?;
    let y = graph.dropout2d(x, 0.8, 3, Mode::Train)?;
    let mask = graph.dropout_mask(y)?;
    let dx = graph.gradients_from(&[(y, dy)], &[x])?[0].expect("y depends on x");
    let mut session = session(&graph, &[y, mask, dx])?;
    session.write(x, &numbers(SHAPE, 1))?;
    session.write(dy, &numbers(SHAPE, 2))?;
    session.verify()?;
    let (y, mask) = (session.read(y)?.to_f64(), session.read(mask)?.to_f64());
    let planes: Vec<f64> = mask.chunks(12).map(|plane| plane[0]).collect();
    assert!(mask.chunks(12).zip(&planes).all(|(plane, &first)| plane.iter().all(|&kept| kept == first)));
    for (((x, y), dx), kept) in
        numbers(SHAPE, 1).to_f64().iter().zip(&y).zip(session.read(dx)?.to_f64()).zip(&mask)
    {
        assert!((y - x * kept / 0.8).abs() < 1e-6);
        assert_eq!(*kept == 0.0, dx == 0.0);
    }
    let (count, keep) = (planes.len() as f64, 0.8f64);
    let mean = planes.iter().sum::<f64>() / count;
    // Four standard deviations of a mean of independent draws.
    assert!(
        (mean - keep).abs() < 4.0 * (keep * (1.0 - keep) / count).sqrt(),
        "{mean} of the channels are kept"
    );
    Ok(())
}

#[test]
fn what_has_no_channels_is_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", [4]).expect("the input is valid");
    let error = graph.dropout2d(x, 0.5, 0, Mode::Train).expect_err("there are no channels").to_string();
    assert!(error.contains("Feature dropout requires at least 2 dimensions in the input"), "{error}");
    for layer in [Box::new(nn::Dropout::new(1.0)) as Box<dyn Layer>, Box::new(nn::Dropout2d::new(f32::NAN))] {
        let error = layer.forward(&mut graph, x, Mode::Eval).expect_err("no probability").to_string();
        assert!(error.contains("expected at least 0 and less than 1"), "{error}");
    }
    assert_eq!(nn::Dropout::input(), nn::Dropout::new(0.2));
    assert_eq!(nn::Dropout2d::hidden(), nn::Dropout2d::new(0.5));
}

/// Verifies three steps on some inputs.
fn verify(graph: &Graph, plan: Plan, inputs: &[Value]) -> Result<()> {
    let mut session = Session::new(device(), plan, &Weights::init(device(), graph, 0)?)?;
    for (seed, &value) in (1..).zip(inputs) {
        session.write(value, &numbers(graph.shape(value).clone(), seed))?;
    }
    (0..3).try_for_each(|_| session.verify().map(drop))
}

/// Dropout and its gradient go into what is before them, several in one kernel, whatever its width.
#[test]
fn dropout_fuses_with_chains_around_it() -> Result<()> {
    for (shape, features) in [([6, 5], 12), ([5, 7], 9)] {
        let mut graph = Graph::new();
        let x = graph.input("x", shape)?;
        let w = graph.input("w", [features, shape[1]])?;
        let dy = graph.input("dy", [shape[0], features])?;
        let linear = graph.linear(x, w, None)?;
        let relu = graph.relu(linear)?;
        let dropped = graph.dropout(relu, 0.5, 1, Mode::Train)?;
        let tanh = graph.tanh(dropped)?;
        let y = graph.dropout(tanh, 0.8, 2, Mode::Train)?;
        let forward = Plan::new(&graph, &[y], device().caps())?;
        assert!(forward.to_string().contains("linear + relu + dropout + tanh + dropout"), "{forward}");
        verify(&graph, forward, &[x, w])?;
        let dw = graph.gradients_from(&[(y, dy)], &[w])?[0].expect("y depends on w");
        let plan = Plan::new(&graph, &[y, dw], device().caps())?;
        assert!(plan.to_string().contains("dropout + tanh_grad + dropout + relu_grad"), "{plan}");
        verify(&graph, plan, &[x, w, dy])?;
    }
    // Channels behind a convolution, in planes that fours straddle.
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3, 5, 9])?;
    let w = graph.input("w", [7, 3, 3, 3])?;
    let conv = graph.conv2d(x, w, None, Default::default())?;
    let y = graph.dropout2d(conv, 0.5, 1, Mode::Train)?;
    let plan = Plan::new(&graph, &[y], device().caps())?;
    assert!(plan.to_string().contains("conv2d + dropout"), "{plan}");
    verify(&graph, plan, &[x, w])
}

const ROWS: usize = 3;
const INPUTS: usize = 4;
const HIDDEN: usize = 6;
const CLASSES: usize = 3;
const KEEP: f64 = 0.7;

/// A classifier with one hidden layer, and the estimate of what it predicts.
struct Classifier {
    graph: Graph,
    x: Value,
    estimate: MonteCarlo,
}

fn classifier(seed: u64) -> Result<Classifier> {
    let mut graph = Graph::new();
    let x = graph.input("x", [ROWS, INPUTS])?;
    let net = nn::Sequential::new()
        .add("fc1", nn::Linear::new(INPUTS, HIDDEN))
        .add("norm", nn::BatchNorm::new(HIDDEN))
        .add("tanh", nn::Tanh)
        .add("dropout", nn::Dropout::new(1.0 - KEEP as f32).seed(seed))
        .add("fc2", nn::Linear::new(HIDDEN, CLASSES));
    let logits = net.forward(&mut graph, x, Mode::MonteCarlo)?;
    let probabilities = graph.softmax(logits, 1)?;
    let estimate = graph.monte_carlo(&[probabilities, logits])?;
    Ok(Classifier { graph, x, estimate })
}

/// Weights large enough that a unit more or less matters.
fn classifier_weights() -> Result<Weights> {
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
fn over_all_masks(weights: &Weights, x: &[f64], softmax: bool) -> Result<Vec<[f64; 3]>> {
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
