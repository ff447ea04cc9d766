//! Random graphs: any operator on any values with any attributes, hostile ones among them, their gradients and an
//! optimizer, planned for any adapter. Nothing panics or takes long, errors name the node, plans are sound.
//!
//! `WGRAD_FUZZ` multiplies their number; `WGRAD_FUZZ_SEED` starts from another seed, to run one again alone.

mod build;
mod layers;
mod numbers;
mod operators;
mod sound;
mod steps;
mod training;

use numbers::Random;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use wgrad::op::AdapterKind;
use wgrad::plan::Fusion;
use wgrad::{Caps, Error, Graph, Plan, PlanOptions, Result, Value};

/// Graphs of each kind that a plain run of the tests makes.
const GRAPHS: u64 = 1500;

/// What building and planning a graph takes at the most: the largest has some hundred nodes.
const MOST: Duration = Duration::from_secs(20);

/// What became of the graphs.
#[derive(Default)]
struct Counts {
    nodes: u64,
    refused: u64,
    planned: u64,
    not_planned: u64,
    dispatches: u64,
    /// Nodes by operator, in all plans.
    operators: BTreeMap<String, u64>,
}

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a whole number, not \"{text}\"")),
        Err(_) => default,
    }
}

/// Runs `one` for many seeds, and says of a failure which seed it was.
fn run(what: &str, one: impl Fn(&mut Random, &mut Counts)) -> Counts {
    let first = setting("WGRAD_FUZZ_SEED", 0);
    let graphs = GRAPHS.saturating_mul(setting("WGRAD_FUZZ", 1));
    let mut counts = Counts::default();
    let mut failed = Vec::new();
    for seed in first..first.saturating_add(graphs) {
        let start = Instant::now();
        let attempt = AssertUnwindSafe(|| one(&mut Random::new(seed), &mut counts));
        let passed = catch_unwind(attempt).is_ok();
        let took = start.elapsed();
        if !passed || took > MOST {
            eprintln!("{what}: failed after {took:.1?}, to be run again by WGRAD_FUZZ_SEED={seed}");
            failed.push(seed);
        }
        // Some more may show what they have in common.
        if failed.len() == 20 {
            break;
        }
    }
    assert!(failed.is_empty(), "{what}: seeds {failed:?} failed, see above");
    eprintln!(
        "{what}: {graphs} graphs, {} nodes, {} refused; {} planned with {} dispatches, {} not",
        counts.nodes, counts.refused, counts.planned, counts.dispatches, counts.not_planned
    );
    counts
}

/// What is wrong is said of a node, a value or a setting, in words.
fn assert_told(error: &Error) {
    let text = error.to_string();
    match error {
        Error::Node { operator, node, message } => {
            assert!(!operator.is_empty() && !message.is_empty(), "{text}");
            assert!(!node.is_empty() || operator == "constant", "{text}");
        }
        Error::Limit { operator, node, message, .. } => {
            assert!(!operator.is_empty() && !node.is_empty() && !message.is_empty(), "{text}");
        }
        Error::Graph(_) | Error::Value { .. } | Error::Setting { .. } | Error::Variant { .. } => {}
        other => panic!("no graph leads to this: {other:?}"),
    }
    assert!(text.len() < 5000, "{text}");
}

fn caps(random: &mut Random) -> Caps {
    let kinds = [
        AdapterKind::Discrete,
        AdapterKind::Integrated,
        AdapterKind::Apple,
        AdapterKind::Software,
        AdapterKind::SwiftShader,
    ];
    let mut caps = Caps::webgpu_defaults(*random.of(&kinds));
    if random.once_in(2) {
        caps.subgroups = true;
        caps.subgroup_size = *random.of(&[0, 4, 8, 16, 32, 64, 128]);
    }
    if random.once_in(2) {
        caps.max_storage_buffers = *random.of(&[4, 10, 16, 64, 1 << 20]);
    }
    if random.once_in(8) {
        let number = |random: &mut Random| random.hostile();
        let small = |random: &mut Random| random.hostile() as u32;
        match random.below(8) {
            0 => caps.max_binding_bytes = number(random) as u64,
            1 => caps.max_buffer_bytes = number(random) as u64,
            2 => caps.max_storage_buffers = small(random),
            3 => caps.max_workgroup_bytes = small(random),
            4 => caps.max_invocations = small(random),
            5 => caps.max_workgroups = small(random),
            6 => caps.offset_alignment = small(random),
            _ => caps.subgroup_size = small(random),
        }
    } else if random.once_in(4) {
        caps.max_binding_bytes = 1 << (8 + random.below(20));
        caps.max_workgroups = 1 << random.below(16);
    }
    caps
}

fn options(random: &mut Random, graph: &Graph) -> PlanOptions {
    let mut options = PlanOptions::default();
    if random.once_in(3) {
        for fusion in Fusion::ALL {
            if random.once_in(2) {
                options = options.without(fusion);
            }
        }
    }
    if random.once_in(6) {
        let nodes: Vec<_> =
            graph.nodes().map(|(_, node)| (node.operator.name(), node.name.clone())).collect();
        if !nodes.is_empty() {
            let (operator, name) = random.of(&nodes).clone();
            let variant = *random.of(&["default", "tiled", "register", "rows", "wide", "vec4", "scalar", ""]);
            options = match random.below(3) {
                0 => options.variant(operator, variant),
                1 => options.node_variant(operator, &name, variant),
                _ => options.variant("nothing", variant),
            };
        }
    }
    options
}

/// Plans a graph for some adapter and checks what comes of it.
fn plan(random: &mut Random, graph: &Graph, outputs: &[Value], counts: &mut Counts) {
    let (caps, options) = (caps(random), options(random, graph));
    match Plan::with_options(graph, outputs, &caps, &options) {
        Ok(plan) => {
            counts.planned += 1;
            counts.dispatches += plan.dispatches().len() as u64;
            for step in plan.steps() {
                let operator = plan.graph().node(step.node).expect("it is the plan's").operator.name();
                *counts.operators.entry(operator.to_owned()).or_default() += 1;
            }
            sound::check(graph, &plan, random.once_in(16));
        }
        Err(error) => {
            counts.not_planned += 1;
            assert_told(&error);
        }
    }
}

/// Some of the graph's values, and now and then one of another.
fn outputs(random: &mut Random, values: &[Value], others: &[Value]) -> Vec<Value> {
    let mut outputs: Vec<Value> = (0..random.below(4)).map(|_| *random.of(values)).collect();
    outputs.extend(values.last());
    if random.once_in(50) {
        outputs.push(*random.of(others));
    }
    outputs
}

#[test]
fn random_networks_plan_soundly_and_what_is_refused_is_refused_by_name() {
    let counts = run("networks", |random, counts| {
        let mut network = build::Network::new(random);
        network.grow();
        network.train();
        let build::Network { graph, values, others, refused, .. } = network;
        counts.nodes += graph.nodes().count() as u64;
        counts.refused += refused.len() as u64;
        refused.iter().for_each(assert_told);
        let outputs = outputs(random, &values, &others);
        plan(random, &graph, &outputs, counts);
        if random.once_in(8) {
            let text = (graph.to_string(), graph.summary(outputs[0]).map(|summary| summary.to_string()));
            assert!(!text.0.is_empty());
        }
    });
    let of = |name: &str| counts.operators.get(name).copied().unwrap_or(0);
    eprintln!("{:?}", counts.operators);
    for name in [
        "conv2d",
        "conv2d_grad_input",
        "batch_norm",
        "max_pool2d",
        "embedding",
        "cross_entropy",
        "adam_update",
    ] {
        assert!(of(name) > 0, "no plan has {name}: {:?}", counts.operators);
    }
    assert!(counts.planned > counts.not_planned && counts.refused > 0);
}

/// Every operator, gradients and updates among them, on inputs that fit, with an attribute or an input that may not.
#[test]
fn operators_by_themselves_take_any_attributes() {
    let cases: Vec<_> = crate::cases::all().into_iter().flat_map(|(_, cases)| cases).collect();
    run("operators", |random, counts| {
        let mut graph = Graph::new();
        let case = random.of(&cases);
        let hostile = random.once_in(2);
        let operator = if hostile { operators::any(random) } else { None };
        let operator = operator.unwrap_or_else(|| std::sync::Arc::clone(&case.operator));
        let found: Result<Vec<Value>> = (|| {
            let mut inputs = Vec::new();
            for (i, kind) in case.kinds().iter().enumerate() {
                let kind = if random.once_in(4) { random.kind() } else { kind.clone() };
                inputs.push(build::input(&mut graph, &format!("x{i}"), &kind, random)?);
            }
            let (fewest, most) = operator.arity();
            if hostile && inputs.len() < fewest {
                let count = random.between(fewest, most.min(fewest.saturating_add(2))).min(12);
                while inputs.len() < count {
                    let again = inputs[0];
                    inputs.push(again);
                }
            }
            if hostile {
                inputs.truncate(most);
            }
            graph.apply_named(String::new(), operator, &inputs)
        })();
        match found {
            Ok(outputs) => {
                counts.nodes += 1;
                plan(random, &graph, &outputs, counts);
            }
            Err(error) => {
                counts.refused += 1;
                assert_told(&error);
                assert_eq!(graph.nodes().count(), 0);
            }
        }
    });
}
