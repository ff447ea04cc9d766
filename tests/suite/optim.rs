//! Optimizers in a graph: one dispatch for all parameters, gradients that need a copy, errors.

use crate::harness::{device, floats, labels, numbers};
use wgrad::graph::Init;
use wgrad::op::AdapterKind;
use wgrad::ops::elementwise::SumTo;
use wgrad::optim::{Adadelta, Adagrad, Adam, AdamW, Lion, Nadam, Rmsprop, Sgd};
use wgrad::plan::Place;
use wgrad::shader::Access;
use wgrad::{Caps, Graph, Plan, Result, Session, Shape, Value, Weights};

fn kernels(plan: &Plan) -> Vec<&'static str> {
    plan.dispatches().iter().map(|d| d.kernel.name()).collect()
}

/// `loss = cross_entropy(sigmoid(x + a) + b + c, labels)`: the gradients of `b` and `c` are one
/// value, which the gradient of `a` is computed from.
fn network(graph: &mut Graph) -> Result<(Value, Value, Value)> {
    let x = graph.input("x", [6, 5])?;
    let labels = graph.input_i32("labels", 6)?;
    let a = graph.scoped("first", |g| g.parameter("a", [6, 5], Init::Uniform(1.0)))?;
    let b = graph.parameter("b", [6, 5], Init::Uniform(1.0))?;
    let c = graph.parameter("c", [6, 5], Init::Uniform(1.0))?;
    let shifted = graph.add(x, a)?;
    let hidden = graph.sigmoid(shifted)?;
    let with_b = graph.add(hidden, b)?;
    let logits = graph.add(with_b, c)?;
    Ok((x, labels, graph.cross_entropy(logits, labels)?))
}

#[test]
fn shared_gradients_get_storage_of_their_own_and_every_node_verifies() -> Result<()> {
    for optimizer in 0..8 {
        let mut graph = Graph::new();
        let (x, y, loss) = network(&mut graph)?;
        let rate = graph.input_scalar("rate")?;
        graph.scoped("training", |graph| match optimizer {
            0 => Sgd::new(rate).momentum(0.9).nesterov(true).minimize(graph, loss),
            1 => Adam::new(rate).minimize(graph, loss),
            2 => AdamW::new(rate).amsgrad(true).minimize(graph, loss),
            3 => Nadam::new(rate).minimize(graph, loss),
            4 => Rmsprop::new(rate).centered(true).momentum(0.5).minimize(graph, loss),
            5 => Adagrad::new(rate).initial_accumulator_value(0.1).minimize(graph, loss),
            6 => Adadelta::new(rate).eps(1e-2).minimize(graph, loss),
            _ => Lion::new(rate).minimize(graph, loss),
        })?;
        let plan = Plan::new(&graph, &[loss], device().caps())?;
        let updates = kernels(&plan).iter().filter(|name| name.contains("update")).count();
        assert_eq!(updates, 1, "one dispatch updates all parameters");
        let weights = Weights::init(device(), &graph, 7)?;
        let state: Vec<&str> = weights.names().filter(|n| n.starts_with("first.a.")).collect();
        let expected: &[&str] = match optimizer {
            0 => &["momentum_buffer"],
            1 | 3 => &["exp_avg", "exp_avg_sq"],
            2 => &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
            4 => &["grad_avg", "momentum_buffer", "square_avg"],
            5 => &["sum"],
            6 => &["acc_delta", "square_avg"],
            _ => &["exp_avg"],
        };
        let expected: Vec<String> = expected.iter().map(|suffix| format!("first.a.{suffix}")).collect();
        assert_eq!(state, expected, "state is named after its parameter, whatever the scope");
        let mut session = Session::new(device(), plan, &weights)?;
        session.write(x, &numbers([6, 5], 1))?;
        session.write(y, &labels(6, 5, 2))?;
        session.write_scalar(rate, 0.2)?;
        session.verify()?;
        let first = session.read(loss)?.to_f64()[0];
        for _ in 0..30 {
            session.step()?;
        }
        let last = session.read(loss)?.to_f64()[0];
        assert!(last < 0.7 * first, "the loss fell from {first} to {last} only");
        session.verify()?;
    }
    Ok(())
}

#[test]
fn a_gradient_of_two_parameters_that_nothing_else_reads_is_copied_for_both() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [6, 5])?;
    let y = graph.input_i32("y", 6)?;
    let b = graph.parameter("b", [6, 5], Init::Uniform(1.0))?;
    let c = graph.parameter("c", [6, 5], Init::Uniform(1.0))?;
    let hidden = graph.add(x, b)?;
    let logits = graph.add(hidden, c)?;
    let loss = graph.cross_entropy(logits, y)?;
    let rate = graph.input_scalar("rate")?;
    Sgd::new(rate).minimize(&mut graph, loss)?;
    let plan = Plan::new(&graph, &[loss], device().caps())?;
    for dispatch in plan.dispatches() {
        let buffers = |access| {
            let bound = dispatch.bindings.iter().filter(move |b| b.access == access);
            bound.filter_map(|b| match b.place {
                Place::Owned { buffer, .. } => Some(buffer),
                Place::Stored { .. } => None,
            })
        };
        let mut written = buffers(Access::Write);
        let clash = written.find(|w| buffers(Access::Read).any(|r| r == *w));
        assert_eq!(clash, None, "{} reads a buffer that it writes", dispatch.kernel.name());
    }
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.write(x, &numbers([6, 5], 1))?;
    session.write(y, &labels(6, 5, 1))?;
    session.write_scalar(rate, 0.1)?;
    session.step()?;
    session.verify()?;
    Ok(())
}

#[test]
fn gradients_that_are_no_nodes_output_are_copied() -> Result<()> {
    let mut graph = Graph::new();
    let a = graph.parameter("a", [3], Init::Constant(1.0))?;
    let b = graph.parameter("b", [2, 2], Init::Constant(1.0))?;
    let given = graph.input("given", [3])?;
    let flat = graph.input("flat", [4])?;
    let view = graph.reshape(flat, [2, 2])?;
    let rate = graph.input_scalar("rate")?;
    Sgd::new(rate).apply(&mut graph, &[(a, given), (b, view)])?;
    let plan = Plan::new(&graph, &[], device().caps())?;
    assert_eq!(kernels(&plan), ["copy", "copy", "sgd_update"]);
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(given, &[1.0, 2.0, 3.0])?;
    session.write(flat, &[4.0, 5.0, 6.0, 7.0])?;
    session.write_scalar(rate, 0.5)?;
    session.step()?;
    assert_eq!(weights.read("a")?, floats([3], vec![0.5, 0.0, -0.5]));
    assert_eq!(weights.read("b")?, floats([2, 2], vec![-1.0, -1.5, -2.0, -2.5]));
    Ok(())
}

#[test]
fn a_fresh_gradient_is_written_where_the_update_reads_it() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [4, 3])?;
    let bias = graph.parameter("bias", [3], Init::Constant(0.0))?;
    let y = graph.add(x, bias)?;
    let squashed = graph.tanh(y)?;
    let labels = graph.input_i32("labels", 4)?;
    let loss = graph.cross_entropy(squashed, labels)?;
    let rate = graph.input_scalar("rate")?;
    Sgd::new(rate).minimize(&mut graph, loss)?;
    let plan = Plan::new(&graph, &[loss], device().caps())?;
    assert!(!kernels(&plan).contains(&"copy"), "{plan}");
    Ok(())
}

#[test]
fn each_page_of_an_arena_gets_a_dispatch() -> Result<()> {
    let mut graph = Graph::new();
    let (_, _, loss) = network(&mut graph)?;
    let rate = graph.input_scalar("rate")?;
    Adam::new(rate).minimize(&mut graph, loss)?;
    // Three tensors of 512 bytes, padding included.
    for (page, expected) in [(512, 3), (1024, 2), (1536, 1)] {
        let mut caps = Caps::webgpu_defaults(AdapterKind::Software);
        caps.max_binding_bytes = page;
        let plan = Plan::new(&graph, &[loss], &caps)?;
        let updates = kernels(&plan).iter().filter(|name| name.contains("update")).count();
        assert_eq!(updates, expected, "pages of {page} bytes");
    }
    Ok(())
}

#[test]
fn clipping_is_one_reduction_at_most_and_spans_pages() -> Result<()> {
    let limits = [(None, None, 0), (Some(0.1), None, 0), (None, Some(0.1), 1), (Some(0.1), Some(0.1), 1)];
    for (value, norm, reductions) in limits {
        for page in [512, 1536] {
            let mut graph = Graph::new();
            let (_, _, loss) = network(&mut graph)?;
            let rate = graph.input_scalar("rate")?;
            let mut optimizer = Sgd::new(rate).momentum(0.9).weight_decay(0.1);
            if let Some(value) = value {
                optimizer = optimizer.clip_value(value);
            }
            if let Some(norm) = norm {
                optimizer = optimizer.clip_norm(norm);
            }
            optimizer.minimize(&mut graph, loss)?;
            // Three tensors of 512 bytes, padding included.
            let mut caps = Caps::webgpu_defaults(AdapterKind::Discrete);
            caps.max_binding_bytes = page;
            let plan = Plan::new(&graph, &[loss], &caps)?;
            let count = |name: &str| kernels(&plan).iter().filter(|&&k| k == name).count();
            let pages = 1536 / page as usize;
            assert_eq!(count("gradient_squares"), reductions * pages, "{value:?} {norm:?}");
            assert_eq!(count("sgd_update"), pages, "{value:?} {norm:?}");
        }
    }
    Ok(())
}

#[test]
fn gradients_are_clipped_by_value_before_the_norm() -> Result<()> {
    let mut graph = Graph::new();
    let a = graph.parameter("a", [2], Init::Constant(0.0))?;
    let b = graph.parameter("b", [1], Init::Constant(0.0))?;
    let (given_a, given_b) = (graph.input("given_a", [2])?, graph.input("given_b", [1])?);
    let rate = graph.input_scalar("rate")?;
    Sgd::new(rate).clip_value(4.0).clip_norm(2.5).apply(&mut graph, &[(a, given_a), (b, given_b)])?;
    let plan = Plan::new(&graph, &[], device().caps())?;
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write_scalar(rate, 1.0)?;
    // (3, -100, 0) becomes (3, -4, 0), whose norm of 5 is halved.
    session.write(given_a, &[3.0, -100.0])?;
    session.write(given_b, &[0.0])?;
    session.step()?;
    let found = [weights.read("a")?.to_f64(), weights.read("b")?.to_f64()].concat();
    for (found, expected) in found.iter().zip([-1.5, 2.0, 0.0]) {
        assert!((found - expected).abs() < 1e-6, "found {found}, expected {expected}");
    }
    Ok(())
}

#[test]
fn two_optimizers_train_two_parts() -> Result<()> {
    let mut graph = Graph::new();
    let a = graph.parameter("a", [5], Init::Constant(0.0))?;
    let b = graph.parameter("b", [5], Init::Constant(0.0))?;
    let x = graph.input("x", [5])?;
    let gradient = graph.relu(x)?;
    let rate = graph.input_scalar("rate")?;
    Sgd::new(rate).apply(&mut graph, &[(a, gradient)])?;
    Sgd::new(rate).momentum(0.5).apply(&mut graph, &[(b, gradient)])?;
    let plan = Plan::new(&graph, &[], device().caps())?;
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(x, &[1.0; 5])?;
    session.write_scalar(rate, 1.0)?;
    session.step()?;
    session.step()?;
    assert_eq!(weights.read("a")?.to_f64(), [-2.0; 5]);
    assert_eq!(weights.read("b")?.to_f64(), [-2.5; 5]);
    Ok(())
}

#[test]
fn mistakes_are_named() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [3])?;
    let weight = graph.parameter("weight", [3], Init::Constant(0.0))?;
    let rate = graph.input_scalar("rate")?;
    let text = |result: Result<()>| result.expect_err("this is a mistake").to_string();

    let shape = Shape::scalar();
    let total = graph.apply1(SumTo { shape }, &[x])?;
    let error = text(Sgd::new(rate).minimize(&mut graph, total));
    assert!(error.contains("depends on no parameter"), "{error}");
    let error = text(Sgd::new(rate).apply(&mut graph, &[]));
    assert!(error.contains("at least one parameter"), "{error}");
    let error = text(Sgd::new(x).apply(&mut graph, &[(weight, x)]));
    assert!(error.contains("the learning rate must be an f32 scalar, found f32[3]"), "{error}");
    let error = text(Sgd::new(rate).apply(&mut graph, &[(x, x)]));
    assert_eq!(error, "graph: an optimizer trains parameters; \"x\" is none");
    let error = text(Sgd::new(rate).apply(&mut graph, &[(weight, rate)]));
    assert_eq!(error, "graph: the gradient of \"weight\" must be f32[3], not f32[]");
    let error = text(Sgd::new(rate).apply(&mut graph, &[(weight, x), (weight, x)]));
    assert_eq!(error, "graph: \"weight\" is given to the optimizer twice");
    let error = text(Sgd::new(rate).momentum(-0.1).apply(&mut graph, &[(weight, x)]));
    assert_eq!(error, "momentum: must be at least 0 and finite, found -0.1");
    let error = text(Sgd::new(rate).nesterov(true).apply(&mut graph, &[(weight, x)]));
    assert!(error.starts_with("nesterov: needs momentum above 0"), "{error}");
    let error = text(Sgd::new(rate).weight_decay(f64::NAN).apply(&mut graph, &[(weight, x)]));
    assert_eq!(error, "weight_decay: must be at least 0 and finite, found NaN");
    let error = text(Adam::new(rate).betas(0.9, 1.0).apply(&mut graph, &[(weight, x)]));
    assert_eq!(error, "betas: must be at least 0 and below 1, found 1");
    let error = text(Sgd::new(rate).clip_norm(0.0).apply(&mut graph, &[(weight, x)]));
    assert_eq!(error, "clip_norm: must be above 0 and finite, found 0");
    let error = text(Adam::new(rate).clip_value(f64::NAN).apply(&mut graph, &[(weight, x)]));
    assert_eq!(error, "clip_value: must be above 0 and finite, found NaN");
    for eps in [1e-40, -1e-8, f64::NAN, f64::INFINITY] {
        let error = text(AdamW::new(rate).eps(eps).apply(&mut graph, &[(weight, x)]));
        assert!(error.starts_with("eps: must be 0, or at least"), "{error}");
    }
    let error = text(Nadam::new(rate).momentum_decay(-1.0).apply(&mut graph, &[(weight, x)]));
    assert_eq!(error, "momentum_decay: must be at least 0 and finite, found -1");
    let error = text(Rmsprop::new(rate).alpha(1.0).apply(&mut graph, &[(weight, x)]));
    assert_eq!(error, "alpha: must be at least 0 and below 1, found 1");
    let error = text(Rmsprop::new(rate).momentum(1e39).apply(&mut graph, &[(weight, x)]));
    assert!(error.starts_with("momentum: must be at least 0 and finite, found 1"), "{error}");
    let error = text(Adagrad::new(rate).lr_decay(f64::INFINITY).apply(&mut graph, &[(weight, x)]));
    assert_eq!(error, "lr_decay: must be at least 0 and finite, found inf");
    let error = text(Adagrad::new(rate).initial_accumulator_value(-1.0).apply(&mut graph, &[(weight, x)]));
    assert_eq!(error, "initial_accumulator_value: must be at least 0 and finite, found -1");
    let error = text(Adadelta::new(rate).rho(-0.5).apply(&mut graph, &[(weight, x)]));
    assert_eq!(error, "rho: must be at least 0 and below 1, found -0.5");
    let error = text(Lion::new(rate).betas(0.9, 2.0).apply(&mut graph, &[(weight, x)]));
    assert_eq!(error, "betas: must be at least 0 and below 1, found 2");

    Sgd::new(rate).apply(&mut graph, &[(weight, x)])?;
    let error = text(Sgd::new(rate).apply(&mut graph, &[(weight, x)]));
    assert!(
        error.contains("\"weight\" was updated earlier in the graph; give each parameter to one optimizer"),
        "{error}"
    );
    Ok(())
}

/// With an eps of 0 an element whose gradients were all 0 so far is divided by 0, as in PyTorch, whose numbers these are
/// (torch 2.15, f32).
#[test]
fn an_eps_of_zero_divides_as_pytorch_does() -> Result<()> {
    const NAN: f64 = f64::NAN;
    const GRADIENTS: [[f32; 4]; 2] = [[1.0, -2.0, 0.0, 0.0], [3.0, 0.0, 0.0, 5.0]];
    let expected: [[[f64; 4]; 2]; 6] = [
        [[0.5, 2.5, NAN, NAN], [0.041_109_53, 2.835_029_1, NAN, NAN]],
        [[0.495, 2.49, NAN, NAN], [0.033_634_54, 2.812_579_2, NAN, NAN]],
        [[0.471_774_1, 2.528_225_9, NAN, NAN], [-0.033_896_42, 2.559_761_5, NAN, NAN]],
        [[-4.0, 7.0, NAN, NAN], [-8.745_790_5, 7.0, NAN, NAN]],
        [[0.5, 2.5, NAN, NAN], [0.025_658_37, 2.5, NAN, NAN]],
        [[1.0, 2.0, NAN, NAN], [1.0, 2.0, NAN, NAN]],
    ];
    for (optimizer, steps) in expected.into_iter().enumerate() {
        let mut graph = Graph::new();
        let p = graph.parameter("p", [4], Init::Constant(0.0))?;
        let (gradient, rate) = (graph.input("gradient", [4])?, graph.input_scalar("rate")?);
        let pairs = [(p, gradient)];
        match optimizer {
            0 => Adam::new(rate).eps(0.0).apply(&mut graph, &pairs),
            1 => AdamW::new(rate).eps(0.0).apply(&mut graph, &pairs),
            2 => Nadam::new(rate).eps(0.0).apply(&mut graph, &pairs),
            3 => Rmsprop::new(rate).eps(0.0).apply(&mut graph, &pairs),
            4 => Adagrad::new(rate).eps(0.0).apply(&mut graph, &pairs),
            _ => Adadelta::new(rate).eps(0.0).apply(&mut graph, &pairs),
        }?;
        let weights = Weights::init(device(), &graph, 0)?;
        let mut session = Session::new(device(), Plan::new(&graph, &[], device().caps())?, &weights)?;
        weights.write("p", &[1.0, 2.0, 3.0, 4.0])?;
        session.write_scalar(rate, 0.5)?;
        for (gradients, expected) in GRADIENTS.iter().zip(steps) {
            session.write(gradient, gradients)?;
            session.step()?;
            let found = weights.read("p")?.to_f64();
            for (found, expected) in found.iter().zip(expected) {
                let alike = if expected.is_nan() { found.is_nan() } else { (found - expected).abs() < 1e-5 };
                assert!(alike, "optimizer {optimizer}: {found}, expected {expected}");
            }
        }
    }
    Ok(())
}
