//! Graphs of 100,000 nodes, of kinds that once made a stage of planning slow. A stage whose time is quadratic in the
//! nodes takes minutes here.

use std::sync::LazyLock;
use std::time::{Duration, Instant};
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::op::AdapterKind;
use wgrad::optim::{Adam, Schedule};
use wgrad::{Caps, Graph, Mode, Plan, Result, Value};

const NODES: usize = 100_000;

/// What building, planning and printing take at the most, each. On two cores of 2020 they take a few seconds.
const MOST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 300 } else { 30 });

/// Builds, plans and prints a graph of at least `NODES` nodes, each within the time it may take.
fn within_time(kind: &str, build: impl FnOnce(&mut Graph) -> Result<Vec<Value>>) -> Plan {
    let mut times = Vec::new();
    let mut start = now();
    let mut lap = |what: &str| {
        let took = now() - start;
        start = now();
        times.push(format!("{what} {took:.2?}"));
        assert!(took < MOST, "{kind}: {what} took {took:?}, at most {MOST:?}");
    };
    let mut graph = Graph::new();
    let outputs = build(&mut graph).expect("the graph is valid");
    lap("building");
    assert!(graph.nodes().count() >= NODES, "{kind}: {} nodes", graph.nodes().count());
    let plan = Plan::new(&graph, &outputs, &Caps::webgpu_defaults(AdapterKind::Discrete));
    let plan = plan.unwrap_or_else(|error| panic!("{kind}: {error}"));
    lap("planning");
    let length = plan.to_string().len() + graph.to_string().len();
    lap("printing");
    drop((plan.clone(), graph));
    lap("dropping");
    eprintln!("{kind}: {} dispatches, {length} bytes of text; {}", plan.dispatches().len(), times.join(", "));
    plan
}

/// The time that this thread has run, where the system tells it, so that whatever else runs does not count; or else the
/// time of the clock.
fn now() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = status.as_deref().and_then(|text| text.split_whitespace().next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn repeat(x: Value, times: usize, step: impl FnMut(Value, usize) -> Result<Value>) -> Result<Value> {
    (0..times).try_fold(x, step)
}

#[test]
fn chains_of_views() {
    let plan = within_time("views", |g| {
        let x = g.input("x", [2, 6])?;
        let y = repeat(x, NODES, |x, i| g.reshape(x, if i % 2 == 0 { [3, 4] } else { [2, 6] }))?;
        Ok(vec![g.relu(y)?])
    });
    assert_eq!(plan.dispatches().len(), 1);
    within_time("views that are all read", |g| {
        let x = g.input("x", [2, 6])?;
        let x = g.softmax(x, 1)?;
        let mut outputs = Vec::new();
        repeat(x, NODES / 2, |x, i| {
            outputs.push(g.relu(x)?);
            g.reshape(x, if i % 2 == 0 { [3, 4] } else { [2, 6] })
        })?;
        Ok(outputs)
    });
}

#[test]
fn chains_that_fuse() {
    within_time("functions", |g| {
        let x = g.input("x", [64])?;
        Ok(vec![repeat(x, NODES, |x, i| if i % 2 == 0 { g.relu(x) } else { g.shift(x, 0.5) })?])
    });
    within_time("functions between views", |g| {
        let x = g.input("x", [2, 6])?;
        let y = repeat(x, NODES / 2, |x, i| {
            let y = g.tanh(x)?;
            g.reshape(y, if i % 2 == 0 { [3, 4] } else { [2, 6] })
        })?;
        Ok(vec![y])
    });
    within_time("dropouts", |g| {
        let x = g.input("x", [64])?;
        Ok(vec![repeat(x, NODES, |x, _| g.dropout(x, 0.5, 1, Mode::Train))?])
    });
    within_time("normalisations that pool", |g| {
        let x = g.input("x", [2, 1, 8, 8])?;
        let mut outputs = Vec::new();
        for _ in 0..NODES / 3 {
            let y = g.batch_norm(x, None, None, 1e-5, Mode::Train)?;
            let y = g.relu(y)?;
            outputs.push(g.max_pool2d(y, wgrad::ops::pool2d::MaxPool2dOptions::new([2, 2]))?);
        }
        outputs.push(g.relu(x)?);
        Ok(outputs)
    });
}

#[test]
fn residual_networks_and_what_lives_long() {
    within_time("residuals", |g| {
        let x = g.input("x", [64])?;
        let y = repeat(x, NODES / 2, |x, _| {
            let y = g.sigmoid(x)?;
            g.add(y, x)
        })?;
        Ok(vec![y])
    });
    within_time("values kept for the way back", |g| {
        let x = g.input("x", [4, 16])?;
        let mut forward = vec![x];
        // Of different sizes, so that places are hard to share.
        for i in 0..NODES * 2 / 5 {
            let y = g.softmax(forward[i], 1)?;
            let rows = [4, 7, 3, 5][i % 4];
            let weight = if i % 4 == 0 { g.input(&format!("w{i}"), [rows, g.shape(y)?[0]])? } else { y };
            forward.push(if i % 4 == 0 { g.matmul(weight, y)? } else { y });
        }
        let loss = g.sum(forward[NODES * 2 / 5], &[], false)?;
        let gradients = g.gradients(loss, &[x])?;
        Ok(gradients.into_iter().flatten().collect())
    });
}

#[test]
fn many_parameters_and_an_optimizer() {
    within_time("parameters", |g| {
        let x = g.input("x", [2, 4])?;
        let rate = g.input_scalar("rate")?;
        let y = repeat(x, NODES / 6, |x, i| {
            let weight = g.parameter(&format!("{i}.weight"), [4, 4], Init::Uniform(0.5))?;
            let bias = g.parameter(&format!("{i}.bias"), [4], Init::Uniform(0.5))?;
            let y = g.linear(x, weight, Some(bias))?;
            let y = g.relu(y)?;
            g.add(y, x)
        })?;
        let loss = g.sum(y, &[], false)?;
        Adam::new(rate).clip_norm(1.0).minimize(g, loss)?;
        Ok(vec![loss])
    });
}

#[test]
fn wide_graphs() {
    within_time("one value read by all", |g| {
        let x = g.input("x", [4, 16])?;
        let x = g.softmax(x, 1)?;
        let y = g.neg(x)?;
        let mut sums = Vec::new();
        for _ in 0..NODES / 2 {
            let z = g.tanh(y)?;
            sums.push(g.add(z, x)?);
        }
        Ok(sums)
    });
    within_time("one sum of all", |g| {
        let x = g.input("x", [1, 16])?;
        let all: Vec<Value> = (0..NODES).map(|_| g.softmax(x, 1)).collect::<Result<_>>()?;
        let all = g.concatenate(&all, 0)?;
        Ok(vec![g.sum(all, &[], false)?])
    });
    within_time("one parameter read by all", |g| {
        let (x, rate) = (g.input("x", [2, 4])?, g.input_scalar("rate")?);
        let weight = g.parameter("weight", [4, 4], Init::Uniform(0.5))?;
        let y = repeat(x, NODES / 4, |x, _| {
            let y = g.linear(x, weight, None)?;
            g.tanh(y)
        })?;
        let loss = g.sum(y, &[], false)?;
        Adam::new(rate).minimize(g, loss)?;
        Ok(vec![loss])
    });
}

/// Layers within layers, run, printed and dropped on a test's small stack.
#[test]
fn layers_nest_as_deeply_as_they_like() -> Result<()> {
    let mut g = Graph::new();
    let x = g.input("x", [4])?;
    let mut nested = nn::Sequential::new().add("leaf", nn::Relu);
    for _ in 0..NODES {
        nested = nn::Sequential::new().inline(nested);
    }
    let y = nested.forward(&mut g, x, Mode::Train)?;
    assert_eq!(g.value(y)?.name, "leaf");
    let text = format!("{nested:?}");
    assert!(text.ends_with(&format!("Sequential(leaf: Relu{}", ")".repeat(NODES + 1))));

    let mut named = nn::Sequential::new().add("leaf", nn::Relu);
    for _ in 0..NODES {
        named = nn::Sequential::new().push(named);
    }
    let y = named.forward(&mut g, x, Mode::Train)?;
    assert_eq!(g.value(y)?.name.len(), 2 * NODES + "leaf".len());
    let after = g.relu(x)?;
    assert_eq!(g.value(after)?.name, "relu", "every scope was left");

    let mut branches = nn::Parallel::sum().identity();
    for _ in 0..NODES / 2 {
        branches = nn::Parallel::sum().inline(branches).inline(nn::Tanh).identity();
    }
    branches.forward(&mut g, x, Mode::Train)?;
    Ok(())
}

#[test]
fn what_a_nested_layer_is_refused_for_names_it_and_leaves_its_scopes() -> Result<()> {
    let mut g = Graph::new();
    let x = g.input("x", [4])?;
    let inner = nn::Sequential::new().add("norm", nn::BatchNorm::new(3));
    let net = nn::Sequential::new()
        .add("outer", nn::Parallel::sum().add("branch", nn::Sequential::new().inline(inner)).identity());
    let error = net.forward(&mut g, x, Mode::Eval).expect_err("a vector has no channels").to_string();
    assert!(error.contains("\"outer.branch.norm\""), "{error}");
    let none = nn::Sequential::new().add("none", nn::Parallel::sum());
    let error = none.forward(&mut g, x, Mode::Eval).expect_err("there are no branches").to_string();
    assert!(error.contains("parallel \"none\""), "{error}");
    let y = g.relu(x)?;
    assert_eq!(g.value(y)?.name, "relu", "every scope was left");
    Ok(())
}

#[test]
fn schedules_nest_as_deeply_as_they_like() -> Result<()> {
    let constant = |rate: f64| Schedule::constant(rate);
    let half = Schedule::exponential(1.0, 0.5)?;
    let (mut left, mut right) = (constant(0.5)?, constant(0.5)?);
    for i in 0..NODES as u64 {
        left = left.then(i + 1, constant(2.0)?);
        right = constant(1.0)?.then(1, right);
    }
    // The first part of all, and what follows the longest; then one step of each.
    assert_eq!((left.rate(0), left.rate(NODES as u64)), (0.5, 2.0));
    assert_eq!((right.rate(0), right.rate(NODES as u64)), (1.0, 0.5));
    let mut product = constant(3.0)?;
    for _ in 0..NODES {
        product = product.times(half.clone());
    }
    assert_eq!(product.rate(0), 3.0);
    assert_eq!(product.rate(1), 0.0, "3 halved so often is nothing");
    assert_eq!(product.clone(), product);
    assert!(format!("{product:?}").contains("Exponential"));
    let (a, b, c) = (constant(1.0)?, constant(2.0)?, constant(3.0)?);
    let one = a.clone().then(5, b.clone().then(6, c.clone()));
    assert_eq!(one, a.clone().then(5, b.clone().then(6, c.clone())));
    assert_ne!(one, a.clone().then(5, b.clone().then(7, c.clone())));
    assert_ne!(one, a.then(5, b).then(6, c));
    let rates: Vec<f64> = [0, 4, 5, 10, 11].map(|step| one.rate(step)).into();
    assert_eq!(rates, [1.0, 1.0, 2.0, 2.0, 3.0]);
    Ok(())
}
