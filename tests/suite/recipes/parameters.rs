//! Groups of parameters, freezing, accumulation of gradients, averages.

use crate::harness::{self, device, labels, numbers, scaled};
use wgrad::graph::Init;
use wgrad::ops::optimizer::Rule;
use wgrad::optim::{AdamW, Ema, Nadam, Optimizer, Rmsprop, Sgd};
use wgrad::{Graph, HostTensor, Plan, Result, Session, Value, Weights};

fn kernels(plan: &Plan) -> Vec<&'static str> {
    plan.dispatches().iter().map(|d| d.kernel.name()).collect()
}

/// `loss = cross_entropy(sigmoid(x + a) + b * c^T, labels)`: parameters of a scope, a matrix, a vector.
fn network(graph: &mut Graph) -> Result<(Value, Value)> {
    let x = graph.input("x", [6, 5])?;
    let labels = graph.input_i32("labels", 6)?;
    let a = graph.scoped("first", |g| g.parameter("a", [6, 5], Init::Uniform(1.0)))?;
    let b = graph.parameter("b", [7, 5], Init::Uniform(1.0))?;
    let c = graph.parameter("c", [7], Init::Uniform(1.0))?;
    let shifted = graph.add(x, a)?;
    let hidden = graph.sigmoid(shifted)?;
    let logits = graph.linear(hidden, b, Some(c))?;
    Ok((x, graph.cross_entropy(logits, labels)?))
}

/// Weights and a session of the network with an optimizer, its inputs written, after `steps` steps at a
/// rate of 0.1.
fn train(graph: &Graph, loss: Value, steps: usize, page_bytes: u64) -> Result<(Weights, Session)> {
    let mut caps = device().caps().clone();
    caps.max_binding_bytes = caps.max_binding_bytes.min(page_bytes);
    let plan = Plan::new(graph, &[loss], &caps)?;
    let weights = Weights::init(device(), graph, 7)?;
    let mut session = Session::new(device(), plan, &weights)?;
    let find = |name| graph.find(name).expect("the network has it");
    session.write(find("x"), &numbers([6, 5], 1))?;
    session.write(find("labels"), &labels(6, 7, 2))?;
    session.write_scalar(find("rate"), 0.1)?;
    for _ in 0..steps {
        session.step()?;
    }
    Ok((weights, session))
}

#[test]
fn groups_have_settings_of_their_own_and_one_norm() -> Result<()> {
    let changes = |settings: fn(Sgd) -> Sgd| -> Result<Vec<f64>> {
        let mut graph = Graph::new();
        let (_, loss) = network(&mut graph)?;
        let rate = graph.input_scalar("rate")?;
        settings(Sgd::new(rate).clip_norm(0.05)).minimize(&mut graph, loss)?;
        let plan = Plan::new(&graph, &[loss], device().caps())?;
        let reductions = kernels(&plan).iter().filter(|&&k| k == "gradient_squares").count();
        assert_eq!(reductions, 1, "the norm of all groups is one reduction");
        let (weights, _) = train(&graph, loss, 1, u64::MAX)?;
        let start = Weights::init(device(), &graph, 7)?;
        let change = |name: &str| -> Result<f64> {
            let (new, old) = (weights.read(name)?.to_f64(), start.read(name)?.to_f64());
            Ok(new.iter().zip(&old).map(|(new, old)| (new - old).powi(2)).sum::<f64>().sqrt())
        };
        ["first.a", "b", "c"].into_iter().map(change).collect()
    };
    let same = changes(|all| all)?;
    let norm = same.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!((norm - 0.1 * 0.05).abs() < 1e-6, "the clipped gradients' norm times the rate, found {norm}");
    // Weight decay comes after clipping, so the other parameters go on as they did.
    let decayed = changes(|all| all.group(|name| name == "b", |group| group.weight_decay(0.5)))?;
    assert!((decayed[0] - same[0]).abs() < 1e-6 && (decayed[2] - same[2]).abs() < 1e-6);
    assert!((decayed[1] - same[1]).abs() > 1e-2);
    // What comes first in the arena is another parameter now, and the first condition that holds counts.
    let reordered = changes(|all| {
        all.group(|name| name.starts_with("first."), |group| group.weight_decay(0.5))
            .group(|_| true, |group| group.nesterov(true).momentum(0.25))
    })?;
    assert!((reordered[0] - same[0]).abs() > 1e-2, "weight decay");
    for i in [1, 2] {
        let ratio = reordered[i] / same[i];
        assert!((ratio - 1.25).abs() < 1e-3, "Nesterov's first step is g + momentum g, found {ratio} g");
    }
    Ok(())
}

#[test]
fn a_group_can_have_a_rate_of_its_own() -> Result<()> {
    let mut graph = Graph::new();
    let a = graph.parameter("a", [3], Init::Constant(0.0))?;
    let b = graph.parameter("b", [70], Init::Constant(0.0))?;
    let (given_a, given_b) = (graph.input("given_a", [3])?, graph.input("given_b", [70])?);
    let (rate, slow) = (graph.input_scalar("rate")?, graph.input_scalar("slow")?);
    Sgd::new(rate)
        .group(|name| name == "a", |group| group.rate(slow))
        .apply(&mut graph, &[(a, given_a), (b, given_b)])?;
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), Plan::new(&graph, &[], device().caps())?, &weights)?;
    session.write(given_a, &[1.0; 3])?;
    session.write(given_b, &[1.0; 70])?;
    session.write_scalar(rate, 1.0)?;
    session.write_scalar(slow, 0.25)?;
    session.step()?;
    assert_eq!(weights.read("a")?.to_f64(), [-0.25; 3]);
    assert_eq!(weights.read("b")?.to_f64(), [-1.0; 70]);
    session.verify()?;
    Ok(())
}

#[test]
fn what_is_frozen_gets_no_gradient() -> Result<()> {
    let mut graph = Graph::new();
    let (_, loss) = network(&mut graph)?;
    let rate = graph.input_scalar("rate")?;
    let mut whole = graph.clone();
    let forward = graph.nodes().count();
    Sgd::new(rate).momentum(0.9).minimize(&mut whole, loss)?;
    Sgd::new(rate).momentum(0.9).freeze(|name| name.starts_with("first.")).minimize(&mut graph, loss)?;
    let named = |graph: &Graph| -> Vec<&str> {
        graph.nodes().skip(forward).map(|(_, node)| node.operator.name()).collect()
    };
    let backward = named(&graph);
    assert_eq!(backward.len() + 2, named(&whole).len(), "nothing goes back to the sigmoid: {backward:?}");
    let (weights, mut session) = train(&graph, loss, 3, u64::MAX)?;
    let start = Weights::init(device(), &graph, 7)?;
    assert_eq!(weights.read("first.a")?, start.read("first.a")?);
    assert_ne!(weights.read("b")?, start.read("b")?);
    assert!(!weights.names().any(|name| name == "first.a.momentum_buffer"));
    session.verify()?;
    Ok(())
}

/// Two linear layers under AdamW with all there is, trained on twelve rows a step or four times three.
fn batches(batch: usize, steps: u32, page_bytes: u64) -> Result<Weights> {
    let mut graph = Graph::new();
    let x = graph.input("x", [batch, 7])?;
    let y = graph.input_i32("labels", batch)?;
    let layer = |graph: &mut Graph, name: &str, x: Value, outputs: usize| {
        graph.scoped(name, |graph| {
            let weight = graph.parameter("weight", [outputs, 7], Init::Uniform(1.0))?;
            let bias = graph.parameter("bias", [outputs], Init::Constant(0.0))?;
            graph.linear(x, weight, Some(bias))
        })
    };
    let hidden = layer(&mut graph, "first", x, 7)?;
    let hidden = graph.tanh(hidden)?;
    let logits = layer(&mut graph, "second", hidden, 5)?;
    let loss = graph.cross_entropy(logits, y)?;
    let rate = graph.input_scalar("rate")?;
    AdamW::new(rate)
        .clip_value(0.3)
        .clip_norm(0.2)
        .group(|name| name.ends_with("bias"), |group| group.weight_decay(0.0))
        .accumulate(steps)
        .average(Ema::new(0.5))
        .minimize(&mut graph, loss)?;
    let mut caps = device().caps().clone();
    caps.max_binding_bytes = page_bytes;
    let plan = Plan::new(&graph, &[loss], &caps)?;
    let count = |name| kernels(&plan).iter().filter(|&&kernel| kernel == name).count();
    let pages = if page_bytes == 1024 { 2 } else { 1 };
    assert_eq!(count("accumulate_update"), if steps == 1 { 0 } else { pages });
    assert_eq!(count("ema_update"), pages, "one walk for all groups");
    let weights = Weights::init(device(), &graph, 3)?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write_scalar(rate, 0.1)?;
    // Three updates.
    let (rows, classes) = (scaled([36, 7], 5, 3.0), labels(36, 5, 6).to_f64());
    for (rows, classes) in rows.as_f32().expect("rows are f32").chunks(7 * batch).zip(classes.chunks(batch)) {
        session.write(x, rows)?;
        session.write(y, &classes.iter().map(|&class| class as i32).collect::<Vec<_>>())?;
        session.step()?;
    }
    Ok(weights)
}

#[test]
fn small_batches_come_to_what_one_large_batch_does() -> Result<()> {
    for page_bytes in [1024, 1 << 20] {
        let (large, small) = (batches(12, 1, page_bytes)?, batches(3, 4, page_bytes)?);
        for name in [
            "first.weight",
            "first.bias",
            "second.weight.average",
            "second.bias.exp_avg",
            "first.weight.exp_avg_sq",
        ] {
            let error = harness::relative_error(&harness::array(&large.read(name)?), &small.read(name)?);
            assert!(error < 2e-6, "{name} is off by {error:.1e}");
        }
    }
    Ok(())
}

#[test]
fn between_updates_nothing_but_the_sum_of_gradients_changes() -> Result<()> {
    let mut graph = Graph::new();
    let (_, loss) = network(&mut graph)?;
    let rate = graph.input_scalar("rate")?;
    Nadam::new(rate).accumulate(3).average(Ema::new(0.9)).minimize(&mut graph, loss)?;
    let (weights, mut session) = train(&graph, loss, 3, u64::MAX)?;
    let contents = || -> Result<Vec<HostTensor>> {
        let kept = weights.names().filter(|name| !name.ends_with(".gradient"));
        kept.map(|name| weights.read(name)).collect()
    };
    let after_one_update = contents()?;
    session.step()?;
    session.verify()?;
    assert_eq!(contents()?, after_one_update);
    session.verify()?;
    assert_ne!(contents()?, after_one_update);
    Ok(())
}

#[test]
fn a_run_that_goes_on_is_the_whole_run() -> Result<()> {
    let mut graph = Graph::new();
    let (_, loss) = network(&mut graph)?;
    let rate = graph.input_scalar("rate")?;
    Nadam::new(rate).accumulate(2).average(Ema::new(0.9)).minimize(&mut graph, loss)?;
    let (whole, _) = train(&graph, loss, 7, u64::MAX)?;
    let (parts, first) = train(&graph, loss, 3, u64::MAX)?;
    let mut second = Session::new(device(), first.plan().clone(), &parts)?;
    for (name, contents) in [("x", numbers([6, 5], 1)), ("labels", labels(6, 7, 2))] {
        second.write(graph.find(name).expect("the network has it"), &contents)?;
    }
    second.write_scalar(rate, 0.1)?;
    second.set_step_number(first.step_number());
    for _ in 3..7 {
        second.step()?;
    }
    for name in whole.names() {
        assert_eq!(whole.read(name)?, parts.read(name)?, "{name}");
    }
    Ok(())
}

/// Appends an optimizer of a rule by number, with settings by the digits of `settings`.
fn optimize(
    graph: &mut Graph,
    rate: Value,
    pairs: &[(Value, Value)],
    number: usize,
    settings: usize,
) -> Result<()> {
    fn with<R: Rule + Clone>(optimizer: Optimizer<R>, settings: usize) -> Optimizer<R> {
        let optimizer = match settings % 3 {
            0 => optimizer,
            1 => optimizer.clip_norm(0.5),
            _ => optimizer.clip_value(0.6).clip_norm(0.3),
        };
        let optimizer = if settings % 6 < 3 { optimizer } else { optimizer.average(Ema::new(0.7)) };
        optimizer.accumulate(1 + (settings / 6 % 2) as u32)
    }
    // Every third parameter.
    let held = move |name: &str| {
        name.strip_prefix('p').and_then(|i| i.parse().ok()).is_some_and(|i: usize| i % 3 == settings % 2)
    };
    match number % 4 {
        0 => {
            with(Sgd::new(rate), settings).group(held, |g| g.momentum(0.9).nesterov(true)).apply(graph, pairs)
        }
        1 => with(Rmsprop::new(rate), settings)
            .group(held, |g| g.centered(true).alpha(0.6))
            .apply(graph, pairs),
        2 => with(AdamW::new(rate), settings)
            .group(held, |g| g.amsgrad(true).weight_decay(0.3))
            .apply(graph, pairs),
        _ => with(Nadam::new(rate), settings).group(held, |g| g.momentum_decay(0.1)).apply(graph, pairs),
    }
}

#[test]
fn steps_over_generated_shapes_agree_with_the_reference() -> Result<()> {
    let sizes = [1, 2, 3, 63, 64, 65, 127, 257, 1031];
    for problem in 0..16usize {
        let mut graph = Graph::new();
        let rate = graph.input_scalar("rate")?;
        let mut pairs = Vec::new();
        for i in 0..2 + problem % 4 {
            let size = sizes[(problem * 5 + i * 7) % sizes.len()];
            let parameter = graph.parameter(&format!("p{i}"), [size], Init::Uniform(1.0))?;
            pairs.push((parameter, graph.input(&format!("g{i}"), [size])?));
        }
        optimize(&mut graph, rate, &pairs, problem, problem * 7 % 12)?;
        let mut caps = device().caps().clone();
        // The largest of them fills a page.
        caps.max_binding_bytes = if problem % 3 == 0 { caps.max_binding_bytes } else { 4608 };
        let plan = Plan::new(&graph, &[], &caps)?;
        let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 1)?)?;
        session.write_scalar(rate, 0.05)?;
        for step in 0..4 {
            for (i, &(parameter, gradient)) in pairs.iter().enumerate() {
                let shape = graph.shape(parameter).expect("of this graph").clone();
                session.write(gradient, &scaled(shape, step + 10 * i as u64, 2.0))?;
            }
            session.verify()?;
        }
    }
    Ok(())
}

#[test]
fn averages_stand_in_for_their_parameters() -> Result<()> {
    let mut graph = Graph::new();
    let (x, loss) = network(&mut graph)?;
    let rate = graph.input_scalar("rate")?;
    let mut plain = graph.clone();
    Sgd::new(rate).average(Ema::new(0.75).warm_up(true)).minimize(&mut graph, loss)?;
    let (weights, mut session) = train(&graph, loss, 0, 1024)?;
    let averaged = weights.averaged()?;
    assert_eq!(averaged.read("b")?, weights.read("b")?, "they start from their parameters");
    let mut expected = weights.read("b")?.to_f64();
    for step in 0..40 {
        session.step()?;
        let t = f64::from(step);
        let decay = if step == 0 { 0.0 } else { ((1.0 + t) / (10.0 + t)).min(0.75) };
        for (average, now) in expected.iter_mut().zip(weights.read("b")?.to_f64()) {
            *average = decay * *average + (1.0 - decay) * now;
        }
        let found = averaged.read("b")?.to_f64();
        let error = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error < 2e-6, "step {step}: off by {error:.1e}");
    }
    session.verify()?;

    // Files hold them under the parameters' names, and what is loaded is what they go on from.
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("averaged.safetensors");
    averaged.save(&path)?;
    let fresh = Weights::init(device(), &graph, 8)?;
    fresh.load(&path)?;
    for name in ["first.a", "b", "c"] {
        assert_eq!(fresh.read(name)?, averaged.read(name)?);
        assert_eq!(fresh.averaged()?.read(name)?, averaged.read(name)?);
    }

    // An evaluation session takes them like any weights.
    let plan = Plan::new(&plain, &[loss], device().caps())?;
    let mut evaluation = Session::new(device(), plan, &averaged)?;
    evaluation.write(x, &numbers([6, 5], 1))?;
    evaluation.write(graph.find("labels").expect("the network has labels"), &labels(6, 7, 2))?;
    evaluation.verify()?;

    Sgd::new(rate).minimize(&mut plain, loss)?;
    let error = Weights::init(device(), &plain, 0)?.averaged().expect_err("there are no averages");
    assert!(error.to_string().contains("the weights hold no averages"), "{error}");
    Ok(())
}

#[test]
fn mistakes_are_named() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [3])?;
    let weight = graph.parameter("weight", [3], Init::Constant(0.0))?;
    let sgd = Sgd::new(graph.input_scalar("rate")?);
    let mut text = |optimizer: Sgd| {
        optimizer.apply(&mut graph, &[(weight, x)]).expect_err("this is a mistake").to_string()
    };
    assert_eq!(text(sgd.clone().accumulate(0)), "accumulate: must be at least 1 step, found 0");
    let error = text(sgd.clone().average(Ema::new(1.0)));
    assert_eq!(error, "decay: must be at least 0 and below 1, found 1");
    let error = text(sgd.clone().freeze(|_| true));
    assert_eq!(error, "freeze: holds for every parameter, so there is nothing to train");
    let error = text(sgd.clone().group(|name| name == "wieght", |group| group.momentum(0.5)));
    assert_eq!(error, "group: holds for none of the parameters, which are weight");
    let error = text(sgd.clone().group(|_| true, |group| group.weight_decay(-1.0)));
    assert_eq!(error, "weight_decay: must be at least 0 and finite, found -1");
    let error = text(sgd.group(|_| true, |group| group.rate(x)));
    assert!(error.contains("the learning rate must be an f32 scalar, found f32[3]"), "{error}");
    Ok(())
}
