//! Activations, losses and optimizers against PyTorch's answers, and their backward rules against
//! finite differences of the references.

use crate::harness::finite::check_gradients;
use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::{Case, device, floats, labels, numbers, scaled};
use wgrad::graph::Init;
use wgrad::ops::cross_entropy::CrossEntropy;
use wgrad::ops::losses::CrossEntropyOptions;
use wgrad::ops::reshape::Reshape;
use wgrad::ops::softmax::Softmax;
use wgrad::optim::{Adagrad, Adam, AdamW, OneCycle, Rmsprop, Schedule, Sgd};
use wgrad::plan::Fusion;
use wgrad::{Graph, HostData, Plan, PlanOptions, Result, Session, Shape, Value, Weights};

/// Runs `build` on the case's input and compares the output and the gradient of the input.
fn compare_unary(fixture: &Fixture, build: impl Fn(&mut Graph, Value) -> Result<Value>) -> Result<()> {
    let mut graph = Graph::new();
    let input = graph.input("input", fixture.array("input").shape.clone())?;
    let upstream = graph.input("grad_output", fixture.array("grad_output").shape.clone())?;
    let output = build(&mut graph, input)?;
    let gradient = graph.gradients_from(&[(output, upstream)], &[input])?[0].expect("depends on the input");
    let plan = Plan::new(&graph, &[output, gradient], device().caps())?;
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(input, &fixture.f32("input"))?;
    session.write(upstream, &fixture.f32("grad_output"))?;
    session.step()?;
    assert_close(fixture, "output", &session.read(output)?, 1e-5);
    assert_close(fixture, "grad_input", &session.read(gradient)?, 1e-5);
    Ok(())
}

#[test]
fn activations_agree_with_pytorch() -> Result<()> {
    for fixture in Fixture::all("activation") {
        let slope = fixture.number("negative_slope", 0.01) as f32;
        compare_unary(&fixture, |graph, x| match fixture.attributes["op"].as_str() {
            Some("relu") => graph.relu(x),
            Some("leaky_relu") => graph.leaky_relu(x, slope),
            Some("elu") => graph.elu(x, fixture.number("alpha", 1.0) as f32),
            Some("gelu") => graph.gelu(x),
            Some("gelu_tanh") => graph.gelu_tanh(x),
            Some("silu") => graph.silu(x),
            Some("softplus") => graph.softplus(x, 1.0, 20.0),
            Some("sigmoid") => graph.sigmoid(x),
            Some("tanh") => graph.tanh(x),
            Some("hardswish") => graph.hard_swish(x),
            Some("softmax") => graph.softmax(x, 1),
            Some("log_softmax") => graph.log_softmax(x, 1),
            other => panic!("no operator for {other:?} of {}", fixture.name),
        })?;
    }
    Ok(())
}

#[test]
fn cross_entropy_agrees_with_pytorch() -> Result<()> {
    for name in ["cross_entropy", "cross_entropy_ignore_index", "cross_entropy_large_logits"] {
        let fixture = Fixture::all("loss").into_iter().find(|f| f.name == name).expect("the case is there");
        let mut graph = Graph::new();
        let shape = fixture.array("input").shape.clone();
        let logits = graph.input("logits", shape.clone())?;
        let labels = graph.input_i32("labels", shape[0])?;
        let ignore_index = fixture.number("ignore_index", -100.0) as i32;
        let options = CrossEntropyOptions::new().ignore_index(ignore_index);
        let loss = graph.cross_entropy_with(logits, labels, options)?;
        let gradient = graph.gradients(loss, &[logits])?[0].expect("depends on the logits");
        let weights = Weights::init(device(), &graph, 0)?;
        let apart = PlanOptions::default().without(Fusion::LossGradient);
        for (options, dispatches) in [(PlanOptions::default(), 1), (apart, 2)] {
            let plan = Plan::with_options(&graph, &[loss, gradient], device().caps(), &options)?;
            assert_eq!(plan.dispatches().len(), dispatches, "a small loss takes one dispatch each way");
            let mut session = Session::new(device(), plan, &weights)?;
            session.write(logits, &fixture.f32("input"))?;
            session.write(labels, &fixture.i32("target"))?;
            session.step()?;
            assert_close(&fixture, "output", &session.read(loss)?, 1e-5);
            assert_close(&fixture, "grad_input", &session.read(gradient)?, 1e-5);
        }
    }
    Ok(())
}

#[test]
fn labels_are_checked_in_number_and_range() -> Result<()> {
    let mut graph = Graph::new();
    let logits = graph.input("logits", [4, 3])?;
    let few = graph.input_i32("few", 3)?;
    let error = graph.cross_entropy(logits, few).expect_err("4 rows have 4 labels");
    assert_eq!(
        error.to_string(),
        "cross_entropy \"cross_entropy\": logits [4, 3] have 4 rows, found 3 labels"
    );
    let labels = graph.input_i32("labels", 4)?;
    let loss = graph.cross_entropy(logits, labels)?;
    let correct = graph.correct_predictions(logits, labels)?;
    let plan = Plan::new(&graph, &[loss, correct], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.write(labels, &[0, 1, -100, 2])?;
    let error = session.write(labels, &[0, 1, 3, 2]).expect_err("there are 3 classes");
    assert!(error.to_string().contains("label 3 at position 2"), "{error}");
    Ok(())
}

#[test]
fn labels_that_no_session_checked_do_no_harm() -> Result<()> {
    // Labels of a node, as of an augmentation, reach the kernels unchecked.
    let mut graph = Graph::new();
    let logits = graph.input("logits", [3, 2])?;
    let raw = graph.input_i32("raw", 3)?;
    let labels = graph.apply1(wgrad::ops::elementwise::Copy, &[raw])?;
    let loss = graph.cross_entropy(logits, labels)?;
    let correct = graph.correct_predictions(logits, labels)?;
    let gradient = graph.gradients(loss, &[logits])?[0].expect("depends on the logits");
    let plan = Plan::new(&graph, &[loss, correct, gradient], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.write(logits, &[0.0, 0.0, 5.0, 1.0, 2.0, 7.0])?;
    session.write(raw, &[1, i32::MAX, i32::MIN])?;
    session.step()?;
    let loss = session.read(loss)?.to_f64()[0];
    assert!((loss - std::f64::consts::LN_2).abs() < 1e-6, "{loss}");
    assert_eq!(session.read(correct)?.to_f64(), [0.0]);
    assert_eq!(session.read(gradient)?.to_f64()[2..], [0.0; 4]);
    Ok(())
}

/// Appends an optimizer with the case's attributes.
fn optimize(fixture: &Fixture, graph: &mut Graph, rate: Value, pairs: &[(Value, Value)]) -> Result<()> {
    let number = |name, default| fixture.number(name, default);
    let betas = &fixture.attributes["betas"];
    let (beta1, beta2) = (betas[0].as_f64().unwrap_or(0.9), betas[1].as_f64().unwrap_or(0.999));
    let eps = number("eps", 1e-8);
    match fixture.attributes["op"].as_str() {
        Some("SGD") => Sgd::new(rate)
            .momentum(number("momentum", 0.0))
            .dampening(number("dampening", 0.0))
            .weight_decay(number("weight_decay", 0.0))
            .nesterov(fixture.attributes["nesterov"].as_bool().unwrap_or(false))
            .apply(graph, pairs),
        Some("Adam") => Adam::new(rate)
            .betas(beta1, beta2)
            .eps(eps)
            .weight_decay(number("weight_decay", 0.0))
            .apply(graph, pairs),
        Some("AdamW") => AdamW::new(rate)
            .betas(beta1, beta2)
            .eps(eps)
            .weight_decay(number("weight_decay", 0.01))
            .apply(graph, pairs),
        Some("RMSprop") => Rmsprop::new(rate)
            .alpha(number("alpha", 0.99))
            .eps(eps)
            .momentum(number("momentum", 0.0))
            .apply(graph, pairs),
        Some("Adagrad") => Adagrad::new(rate).eps(number("eps", 1e-10)).apply(graph, pairs),
        other => panic!("no optimizer is called {other:?}"),
    }
}

#[test]
fn optimizers_agree_with_pytorch() -> Result<()> {
    for op in ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"] {
        for fixture in Fixture::of("optim", op) {
            let mut graph = Graph::new();
            let shape = fixture.array("parameter").shape.clone();
            let parameter = graph.parameter("weight", shape.clone(), Init::Constant(0.0))?;
            let gradient = graph.input("gradient", shape.clone())?;
            let rate = graph.input_scalar("rate")?;
            optimize(&fixture, &mut graph, rate, &[(parameter, gradient)])?;
            let plan = Plan::new(&graph, &[], device().caps())?;
            let weights = Weights::init(device(), &graph, 0)?;
            weights.write("weight", fixture.f32("parameter").as_f32().expect("parameters are f32"))?;
            let mut session = Session::new(device(), plan, &weights)?;
            session.write_scalar(rate, fixture.number("lr", f64::NAN) as f32)?;
            let steps = fixture.f32("gradients");
            let mut found = Vec::new();
            for gradients in steps.as_f32().expect("gradients are f32").chunks(shape.elements()) {
                session.write(gradient, gradients)?;
                session.step()?;
                found.extend_from_slice(weights.read("weight")?.as_f32().expect("weights are f32"));
            }
            assert_close(&fixture, "parameters", &floats(steps.shape.clone(), found), 1e-5);
        }
    }
    Ok(())
}

#[test]
fn schedules_agree_with_pytorch() -> Result<()> {
    for (op, schedule) in [
        ("schedule_step", Schedule::step(0.8, 4, 0.5)?),
        ("schedule_exponential", Schedule::exponential(0.8, 0.9)?),
        ("schedule_cosine", Schedule::cosine(0.8, 10, 0.01)?),
        ("schedule_one_cycle", Schedule::one_cycle(OneCycle::new(1.0, 12))?),
        ("schedule_linear_warmup", Schedule::linear(0.8, 0.1, 1.0, 5)?),
    ] {
        for fixture in Fixture::of("optim", op) {
            let expected = &fixture.array("rates").data;
            for (step, (found, expected)) in schedule.rates().zip(expected).enumerate() {
                let error = (found - expected).abs() / expected;
                assert!(error < 1e-14, "{op}, step {step}: found {found}, expected {expected}");
            }
        }
    }
    Ok(())
}

#[test]
fn gradients_are_clipped_by_norm_as_by_pytorch() -> Result<()> {
    for fixture in Fixture::of("optim", "clip_grad_norm") {
        let mut graph = Graph::new();
        let rate = graph.input_scalar("rate")?;
        let names = ["0", "1"];
        let mut pairs = Vec::new();
        for i in names {
            let shape = fixture.array(&format!("gradient_{i}")).shape.clone();
            let parameter = graph.parameter(&format!("parameter_{i}"), shape.clone(), Init::Constant(0.0))?;
            pairs.push((parameter, graph.input(&format!("gradient_{i}"), shape)?));
        }
        Sgd::new(rate).clip_norm(fixture.number("max_norm", f64::NAN)).apply(&mut graph, &pairs)?;
        let plan = Plan::new(&graph, &[], device().caps())?;
        let weights = Weights::init(device(), &graph, 0)?;
        let mut session = Session::new(device(), plan, &weights)?;
        for (i, (_, gradient)) in names.iter().zip(&pairs) {
            session.write(*gradient, &fixture.f32(&format!("gradient_{i}")))?;
        }
        // From zero, a step at a rate of -1 leaves the clipped gradient.
        session.write_scalar(rate, -1.0)?;
        session.step()?;
        for i in names {
            let found = weights.read(&format!("parameter_{i}"))?;
            assert_close(&fixture, &format!("clipped_{i}"), &found, 1e-6);
        }
    }
    Ok(())
}

#[test]
fn backward_rules_agree_with_finite_differences() {
    for log in [false, true] {
        let case = Case::new("the middle axis", Softmax { axis: 1, log }, vec![scaled([2, 5, 3], 6, 2.0)]);
        check_gradients(&case, &[0]);
    }
    let shape = Shape::from([5, 6]);
    check_gradients(&Case::new("a view", Reshape { shape }, vec![numbers([3, 2, 5], 1)]), &[0]);
    let mut ignoring = labels(7, 5, 2);
    if let HostData::I32(data) = &mut ignoring.data {
        data[3] = -100;
    }
    let inputs = vec![scaled([7, 5], 1, 2.0), ignoring];
    check_gradients(&Case::new("one ignored", CrossEntropy::default(), inputs.clone()), &[0]);
}
