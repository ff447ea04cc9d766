//! Losses against PyTorch's answers and worked examples, and their gradients against finite differences.

use crate::harness::finite::{check_gradients, evaluate};
use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::{Case, array, device, floats, labels, numbers, scaled};
use std::collections::BTreeMap;
use wgrad::op::Array;
use wgrad::ops::cross_entropy::{ClassScores, CrossEntropy};
use wgrad::ops::loss::{ElementLoss, Loss};
use wgrad::ops::losses::{
    BceWithLogitsOptions, CosineEmbeddingOptions, CrossEntropyOptions, HuberOptions, KlDivOptions,
    NllOptions, Reduction, SmoothL1Options, TripletMarginOptions,
};
use wgrad::{Graph, HostData, HostTensor, Plan, Result, Session, Shape, Value, Weights};

/// Builds a loss of the case's input and target, and compares it and the gradient of the input.
fn compare_loss(
    fixture: &Fixture,
    build: impl Fn(&mut Graph, Value, Value) -> Result<Value>,
    labelled: bool,
) -> Result<()> {
    let mut graph = Graph::new();
    let input = graph.input("input", fixture.array("input").shape.clone())?;
    let shape = fixture.array("target").shape.clone();
    let target = if labelled { graph.input_i32("target", shape)? } else { graph.input("target", shape)? };
    let loss = build(&mut graph, input, target)?;
    let gradient = graph.gradients(loss, &[input])?[0].expect("depends on the input");
    let plan = Plan::new(&graph, &[loss, gradient], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.write(input, &fixture.f32("input"))?;
    let contents = if labelled { fixture.i32("target") } else { fixture.f32("target") };
    session.write(target, &contents)?;
    session.step()?;
    assert_close(fixture, "output", &session.read(loss)?, 1e-5);
    assert_close(fixture, "grad_input", &session.read(gradient)?, 1e-5);
    Ok(())
}

#[test]
fn losses_of_labels_agree_with_pytorch() -> Result<()> {
    for fixture in Fixture::of("loss", "cross_entropy") {
        let ignored = fixture.number("ignore_index", -100.0) as i32;
        let smoothing = fixture.number("label_smoothing", 0.0) as f32;
        let weight = |graph: &mut Graph| match fixture.attributes["class_weight"].as_bool() {
            Some(true) => Ok(Some(graph.constant(fixture.f32("weight"))?)),
            _ => Ok::<_, wgrad::Error>(None),
        };
        let of_logits = |graph: &mut Graph, logits, labels| {
            let options = CrossEntropyOptions::new().ignore_index(ignored).label_smoothing(smoothing);
            let options = options.weight(weight(graph)?);
            graph.cross_entropy_with(logits, labels, options)
        };
        compare_loss(&fixture, of_logits, true)?;
        // The same in two steps. The operator smooths logarithms of probabilities too.
        let of_logarithms = |graph: &mut Graph, logits, labels| {
            let weight = weight(graph)?;
            let logarithms = graph.log_softmax(logits, 1)?;
            if smoothing == 0.0 {
                let options = NllOptions::new().ignore_index(ignored).weight(weight);
                return graph.nll_loss_with(logarithms, labels, options);
            }
            let scores = ClassScores::LogProbabilities;
            let (ignore_index, label_smoothing, reduction) = (ignored, smoothing, Reduction::Mean);
            let operator = CrossEntropy { ignore_index, label_smoothing, reduction, scores };
            let inputs: Vec<Value> = [logarithms, labels].into_iter().chain(weight).collect();
            Ok(graph.apply(operator, &inputs)?[0])
        };
        compare_loss(&fixture, of_logarithms, true)?;
    }
    Ok(())
}

#[test]
fn losses_of_float_targets_agree_with_pytorch() -> Result<()> {
    for fixture in Fixture::of("loss", "mse") {
        compare_loss(&fixture, Graph::mse_loss, false)?;
    }
    for fixture in Fixture::of("loss", "l1") {
        compare_loss(&fixture, Graph::l1_loss, false)?;
    }
    for fixture in Fixture::of("loss", "smooth_l1") {
        let beta = fixture.number("beta", 1.0) as f32;
        compare_loss(
            &fixture,
            |graph, x, t| graph.smooth_l1_loss_with(x, t, SmoothL1Options::new().beta(beta)),
            false,
        )?;
    }
    for fixture in Fixture::of("loss", "huber") {
        let delta = fixture.number("delta", 1.0) as f32;
        compare_loss(
            &fixture,
            |graph, x, t| graph.huber_loss_with(x, t, HuberOptions::new().delta(delta)),
            false,
        )?;
    }
    for fixture in Fixture::of("loss", "bce_with_logits") {
        compare_loss(&fixture, |graph, x, t| graph.bce_with_logits_loss(x, t), false)?;
    }
    Ok(())
}

/// Worked by hand: log(1 + exp(0)) is log 2, and a positive target counts three times.
#[test]
fn losses_agree_with_worked_examples() -> Result<()> {
    let mut graph = Graph::new();
    let logits = graph.constant(floats([2], vec![0.0, 0.0]))?;
    let targets = graph.constant(floats([2], vec![1.0, 0.0]))?;
    let three = graph.constant(HostTensor::filled(Shape::scalar(), 3.0)?)?;
    let options = BceWithLogitsOptions::new().pos_weight(three).reduction(Reduction::None);
    let binary = graph.bce_with_logits_loss_with(logits, targets, options)?;
    // Uniform against (1/2, 1/4, 1/4): log 3 - 3/2 log 2 in sum, and each row again.
    let third = -(3f32.ln());
    let uniform = graph.constant(HostTensor::filled([2, 3], third)?)?;
    let target = graph.constant(floats([2, 3], vec![0.5, 0.25, 0.25, 0.5, 0.25, 0.25]))?;
    let divergence = graph.kl_div_loss_with(uniform, target, KlDivOptions::new().batch_mean())?;
    let plan = Plan::new(&graph, &[binary, divergence], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.step()?;
    let ln2 = std::f64::consts::LN_2;
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found}, {expected}");
    let binary = session.read(binary)?.to_f64();
    near(binary[0], 3.0 * ln2);
    near(binary[1], ln2);
    near(session.read(divergence)?.to_f64()[0], 3f64.ln() - 1.5 * ln2);
    Ok(())
}

/// Angles and distances that can be seen: 45 and 180 degrees, and sides of a 3-4-5 triangle.
#[test]
fn losses_of_rows_agree_with_worked_examples() -> Result<()> {
    let mut graph = Graph::new();
    let tensor =
        |graph: &mut Graph, shape: [usize; 2], data: &[f32]| graph.constant(floats(shape, data.to_vec()));
    let x1 = tensor(&mut graph, [4, 2], &[1.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 3.0])?;
    let x2 = tensor(&mut graph, [4, 2], &[1.0, 1.0, 1.0, 1.0, -5.0, 0.0, 0.0, 1.0])?;
    let y = graph.constant(floats([4], vec![1.0, -1.0, -1.0, -1.0]))?;
    let options = CosineEmbeddingOptions::new().margin(0.5);
    let cosine = graph.cosine_embedding_loss_with(x1, x2, y, options.reduction(Reduction::None))?;
    let mean = graph.cosine_embedding_loss_with(x1, x2, y, options)?;
    let anchor = tensor(&mut graph, [2, 2], &[0.0; 4])?;
    let positive = tensor(&mut graph, [2, 2], &[3.0, 4.0, 0.0, 1.0])?;
    let negative = tensor(&mut graph, [2, 2], &[0.0, 4.0, 6.0, 8.0])?;
    let plain = TripletMarginOptions::new().eps(0.0).reduction(Reduction::None);
    let mut triplet = |options| graph.triplet_margin_loss_with(anchor, positive, negative, options);
    let euclid = triplet(plain)?;
    let swapped = triplet(plain.swap(true))?;
    let absolute = triplet(plain.p(1.0))?;
    let outputs = [cosine, mean, euclid, swapped, absolute];
    let plan = Plan::new(&graph, &outputs, device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.step()?;
    let half = std::f64::consts::FRAC_1_SQRT_2;
    let expected = [
        vec![1.0 - half, half - 0.5, 0.0, 0.5],
        vec![(1.0 - half + half - 0.5 + 0.5) / 4.0],
        // 5 - 4 + 1; 1 - 10 + 1.
        vec![2.0, 0.0],
        // From (3, 4) to (0, 4) it is 3: 5 - 3 + 1.
        vec![3.0, 0.0],
        vec![4.0, 0.0],
    ];
    for (output, expected) in outputs.into_iter().zip(expected) {
        let found = session.read(output)?.to_f64();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
        }
    }
    Ok(())
}

/// What the losses of rows give back, by the references and by differences.
#[test]
fn gradients_of_losses_of_rows_agree_with_finite_differences() -> Result<()> {
    let triplet = TripletMarginOptions::new();
    let cubic = triplet.p(3.0).swap(true);
    for (reduction, which) in [(Reduction::Mean, 0), (Reduction::Sum, 1), (Reduction::None, 2)] {
        let mut graph = Graph::new();
        let mut contents = BTreeMap::new();
        let mut inputs = Vec::new();
        for i in 0..3 {
            let value = graph.input(&format!("input{i}"), [3, 4])?;
            contents.insert(value, array(&numbers([3, 4], 20 + i)));
            inputs.push(value);
        }
        let [a, b, c] = [inputs[0], inputs[1], inputs[2]];
        let loss = match which {
            0 => graph.triplet_margin_loss_with(a, b, c, triplet.reduction(reduction))?,
            1 => graph.triplet_margin_loss_with(a, b, c, cubic.reduction(reduction))?,
            _ => {
                let y = graph.constant(floats([3], vec![1.0, -1.0, -1.0]))?;
                let options = CosineEmbeddingOptions::new().margin(-0.9).reduction(reduction);
                graph.cosine_embedding_loss_with(a, b, y, options)?
            }
        };
        let total = if reduction == Reduction::None { graph.sum(loss, &[0], false)? } else { loss };
        let gradients = graph.gradients(total, &inputs)?;
        let by_rule = evaluate(&graph, &contents);
        let at = |contents: &BTreeMap<Value, Array>| evaluate(&graph, contents)[&total].data[0];
        for (&input, gradient) in inputs.iter().zip(gradients) {
            let Some(gradient) = gradient else { continue };
            for i in 0..12 {
                let moved = |by: f64| {
                    let mut contents = contents.clone();
                    contents.get_mut(&input).expect("it is an input").data[i] += by;
                    at(&contents)
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                let rule = by_rule[&gradient].data[i];
                assert!((slope - rule).abs() < 1e-6, "loss {which}: {rule}, differences give {slope}");
            }
        }
    }
    Ok(())
}

#[test]
fn losses_refuse_what_does_not_fit() -> Result<()> {
    let mut graph = Graph::new();
    let (x, t) = (graph.input("x", [4, 3])?, graph.input("t", [4, 1])?);
    let message = |made: Result<Value>| made.expect_err("it does not fit").to_string();
    assert_eq!(
        message(graph.mse_loss(x, t)),
        "mse_loss \"mse_loss\": expects a prediction and a target of f32 and one shape, found f32[4, 3] and f32[4, 1]"
    );
    assert!(
        message(graph.huber_loss_with(x, x, HuberOptions::new().delta(0.0)))
            .contains("non-positive values for delta, found 0")
    );
    assert!(
        message(graph.smooth_l1_loss_with(x, x, SmoothL1Options::new().beta(f32::NAN)))
            .contains("negative values for beta, found NaN")
    );
    let four = graph.input("four", [4])?;
    let weight = message(graph.bce_with_logits_loss_with(x, x, BceWithLogitsOptions::new().pos_weight(four)));
    assert!(weight.contains("pos_weight to stretch along one run of dimensions of f32[4, 3]"), "{weight}");
    let rows = message(graph.triplet_margin_loss(x, x, t));
    assert!(
        rows.contains("triplet_margin_loss \"triplet_margin_loss\": expects (n, features) of one shape"),
        "{rows}"
    );
    let plain = TripletMarginOptions::new();
    let norm = message(graph.triplet_margin_loss_with(x, x, x, plain.p(0.0)));
    assert!(norm.contains("p must be above 0 and finite, found 0"), "{norm}");
    let before = graph.nodes().count();
    for (options, words) in [
        (plain.margin(0.0), "margin must be greater than 0, got 0"),
        (plain.margin(f32::NAN), "margin must be greater than 0, got NaN"),
        (plain.eps(f32::INFINITY), "eps must be a finite number, found inf"),
    ] {
        let made = graph.scoped("head", |g| g.triplet_margin_loss_with(x, x, x, options));
        assert_eq!(message(made), format!("triplet_margin_loss \"head\": {words}"));
    }
    let margin = CosineEmbeddingOptions::new().margin(f32::NAN);
    let margin = message(graph.cosine_embedding_loss_with(x, x, four, margin));
    assert!(
        margin.contains("cosine_embedding_loss\": margin must be a finite number, found NaN"),
        "{margin}"
    );
    assert_eq!(graph.nodes().count(), before, "what was refused left no node");
    let target = message(graph.cosine_embedding_loss(x, x, t));
    assert!(target.contains("a target for each row of [4, 3], found [4, 1]"), "{target}");
    let labels = graph.input_i32("labels", 4)?;
    let plain = CrossEntropyOptions::new();
    let smoothed = message(graph.cross_entropy_with(x, labels, plain.label_smoothing(1.5)));
    assert!(smoothed.contains("label_smoothing must be between 0.0 and 1.0, found 1.5"), "{smoothed}");
    let weighted = message(graph.cross_entropy_with(x, labels, plain.weight(t)));
    assert!(weighted.contains("weight tensor should be defined for all 3 classes"), "{weighted}");
    Ok(())
}

#[test]
fn gradients_of_losses_agree_with_finite_differences() {
    let mut ignoring = labels(7, 5, 2);
    if let HostData::I32(data) = &mut ignoring.data {
        data[3] = -100;
    }
    let inputs = [scaled([7, 5], 1, 2.0), ignoring];
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
        for scores in [ClassScores::Logits, ClassScores::LogProbabilities] {
            let plain = CrossEntropy { scores, reduction, ..CrossEntropy::default() };
            let weight = floats([5], vec![0.5, 1.0, 1.5, 0.25, 2.0]);
            let inputs = inputs.iter().cloned().chain([weight]).collect();
            check_gradients(
                &Case::new("weights", CrossEntropy { label_smoothing: 0.2, ..plain }, inputs),
                &[0],
            );
        }
        // Far enough from the kinks that no difference crosses one.
        let inputs = vec![scaled([2, 5], 3, 2.0), scaled([2, 5], 4, 2.0)];
        for element in [
            ElementLoss::Mse,
            ElementLoss::L1,
            ElementLoss::SmoothL1 { beta: 0.5 },
            ElementLoss::Huber { delta: 0.7 },
            ElementLoss::BceWithLogits,
            ElementLoss::KlDivOfLogarithms,
        ] {
            let reduction = reduction.into();
            check_gradients(&Case::new("loss", Loss { element, reduction }, inputs.clone()), &[0, 1]);
        }
        let (element, reduction) = (ElementLoss::KlDiv, reduction.into());
        let targets = floats([2, 5], (1..=10).map(|i| i as f32 / 20.0).collect());
        let of_probabilities = vec![inputs[0].clone(), targets.clone()];
        check_gradients(&Case::new("loss", Loss { element, reduction }, of_probabilities), &[0, 1]);
        let element = ElementLoss::BceWithLogits;
        let weighted = vec![inputs[0].clone(), targets, scaled([5], 5, 2.0)];
        check_gradients(&Case::new("weights", Loss { element, reduction }, weighted), &[0, 1]);
    }
}
