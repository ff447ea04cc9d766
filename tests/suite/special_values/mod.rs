//! Every operator, forward and backward, at NaN, infinities, zeros, denormal and the largest numbers, against
//! PyTorch's answers (`tests/fixtures/special_values.py`): the kernels of every variant, and the reference.
//!
//! `docs/special-values.md` lists the permitted differences, with reasons.

mod differences;
mod graphs;
pub mod long_rows;
mod training;
pub mod updates;

use crate::harness::fixture::Fixture;
use crate::harness::{device, sweep};
use crate::{cases, harness};
use differences::{DIFFERENCES, Place};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use wgrad::graph::Source;
use wgrad::op::{Array, Variant};
use wgrad::{DType, Graph, Plan, PlanOptions, Result, Session, Value, Weights};

/// The cases by graph, in the order of their names.
static GRAPHS: LazyLock<BTreeMap<String, Vec<Fixture>>> = LazyLock::new(|| {
    let mut graphs: BTreeMap<String, Vec<Fixture>> = BTreeMap::new();
    for case in Fixture::all("special_values") {
        let graph = case.name.split('#').next().expect("a name is not empty").to_owned();
        graphs.entry(graph).or_default().push(case);
    }
    graphs
});

/// Graphs of operators; optimizers and clipping are fed otherwise.
fn operators() -> impl Iterator<Item = (&'static String, &'static Vec<Fixture>)> {
    GRAPHS
        .iter()
        .filter(|(_, cases)| !matches!(cases[0].attributes["op"].as_str(), Some("optimizer" | "clip")))
}

/// The graph of some cases: what they feed, and what they look at.
struct Built {
    graph: Graph,
    inputs: Vec<(&'static str, Value)>,
    outputs: Vec<(&'static str, Value)>,
}

const INPUTS: [&str; 7] = ["x0", "x1", "x2", "x3", "x4", "i0", "dy"];
const OUTPUTS: [&str; 6] = ["y", "g0", "g1", "g2", "g3", "g4"];

fn build(case: &Fixture) -> Result<Built> {
    let mut graph = Graph::new();
    let (mut inputs, mut arguments) = (Vec::new(), Vec::new());
    for name in INPUTS.into_iter().filter(|name| case.tensors.contains_key(*name)) {
        let shape = case.array(name).shape.clone();
        let value = if name == "i0" { graph.input_i32(name, shape)? } else { graph.input(name, shape)? };
        inputs.push((name, value));
        if name != "dy" {
            arguments.push(value);
        }
    }
    // In a scope no node is called as an operator is, so that a variant is chosen for operators alone.
    let y = graph.scoped("case", |graph| graphs::build(graph, case, &arguments))?;
    let mut outputs = vec![("y", y)];
    if let Some(&(_, dy)) = inputs.iter().find(|(name, _)| *name == "dy") {
        let wanted: Vec<usize> = (0..5).filter(|i| case.tensors.contains_key(OUTPUTS[1 + i])).collect();
        let by: Vec<Value> = wanted.iter().map(|&i| arguments[i]).collect();
        let gradients = graph.gradients_from(&[(y, dy)], &by)?;
        let named = wanted.iter().zip(gradients);
        outputs.extend(named.map(|(&i, value)| (OUTPUTS[1 + i], value.expect("the output depends on it"))));
    }
    Ok(Built { graph, inputs, outputs })
}

/// Whether a number is PyTorch's: NaN and infinities exactly, others within rounding, `scale` being what a sum's terms
/// may be.
fn agrees(expected: f64, found: f64, scale: f64) -> bool {
    let (expected, found) = (f64::from(expected as f32), f64::from(found as f32));
    if expected.is_nan() || expected.is_infinite() || !found.is_finite() {
        return expected == found || (expected.is_nan() && found.is_nan());
    }
    (expected - found).abs() <= 3e-5 * expected.abs() + 1e-6 * scale
}

/// Compares what was found with the case's tensor, or with that of flushed denormal numbers where `flushes`; returns
/// the first element that is neither, unless it is meant to differ.
fn compare(case: &Fixture, tensor: &str, found: &[f64], flushes: bool) -> Option<String> {
    let expected = case.array(tensor);
    assert_eq!(expected.data.len(), found.len(), "{} {tensor}: sizes differ", case.name);
    let other = case.tensors.get(&format!("{tensor}_flushed")).filter(|_| flushes);
    let finite = expected.data.iter().map(|x| x.abs()).filter(|x| *x < 1e4);
    let scale = finite.fold(0.1, f64::max);
    let wrong = (0..found.len()).find(|&i| {
        !agrees(expected.data[i], found[i], scale)
            && !other.is_some_and(|other| agrees(other.data[i], found[i], scale))
            && !is_meant(case, tensor, i, found[i])
    })?;
    let fed = |name: &&str| Some(format!("{name} {:e}", fed(case, name, found.len(), wrong)?));
    let fed: Vec<String> = INPUTS.iter().filter_map(fed).collect();
    Some(format!(
        "{} {tensor}[{wrong}] is {:e}, PyTorch has {:e} ({})",
        case.name,
        found[wrong],
        expected.data[wrong],
        fed.join(", ")
    ))
}

/// What was fed in the place of element `i` of a tensor of so many.
fn fed(case: &Fixture, name: &str, elements: usize, i: usize) -> Option<f64> {
    case.tensors.get(name).filter(|array| array.data.len() == elements).map(|array| array.data[i])
}

/// Whether an element is to differ, which is noted.
fn is_meant(case: &Fixture, tensor: &str, i: usize, found: f64) -> bool {
    let expected = &case.array(tensor).data;
    let fed = |name: &str| fed(case, name, expected.len(), i).unwrap_or(f64::NAN);
    // Gradients of functions of one element go through all their numbers for each value, 1 first.
    let slope = expected[i - i % 7];
    let graph = case.name.split('#').next().expect("a name is not empty");
    let place = Place {
        graph,
        tensor,
        x: fed("x0"),
        t: fed("x1"),
        dy: fed("dy"),
        expected: expected[i],
        slope,
        found,
    };
    DIFFERENCES.iter().any(|difference| (difference.here)(place))
}

/// A case's values by the references, each rounded to f32 as a buffer has it.
fn evaluate(built: &Built, case: &Fixture) -> Result<BTreeMap<Value, Array>> {
    let mut known: BTreeMap<Value, Array> = BTreeMap::new();
    for (value, info) in built.graph.values() {
        if let Source::Constant(tensor) = &info.source {
            known.insert(value, harness::array(tensor));
        }
    }
    known.extend(built.inputs.iter().map(|&(name, value)| (value, case.array(name).clone())));
    for (_, node) in built.graph.nodes() {
        let arguments: Vec<&Array> = node.inputs.iter().map(|value| &known[value]).collect();
        for (&output, array) in node.outputs.iter().zip(node.operator.reference(&arguments)) {
            let float = built.graph.value(output)?.ty.dtype == DType::F32;
            known.insert(output, if float { array.map(|x| f64::from(x as f32)) } else { array });
        }
    }
    Ok(known)
}

#[test]
fn the_reference_is_pytorchs() -> Result<()> {
    let mut failures = Vec::new();
    for (_, cases) in operators() {
        let built = build(&cases[0])?;
        for case in cases {
            let known = evaluate(&built, case)?;
            let look =
                |(tensor, value): &(&'static str, Value)| compare(case, tensor, &known[value].data, false);
            failures.extend(built.outputs.iter().filter_map(look));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

/// The variants that a plan runs.
fn variants(plan: &Plan) -> Vec<(&'static str, Variant)> {
    let steps = plan.steps().iter();
    steps
        .map(|step| (plan.graph().node(step.node).expect("of this graph").operator.name(), step.variant))
        .collect()
}

/// Plans that between them run every variant of every operator that offers the same ones wherever it stands.
fn plans(built: &Built) -> Result<Vec<Plan>> {
    let outputs: Vec<Value> = built.outputs.iter().map(|output| output.1).collect();
    let plain = Plan::new(&built.graph, &outputs, device().caps())?;
    let mut operators: BTreeMap<&'static str, BTreeSet<Vec<Variant>>> = BTreeMap::new();
    for (_, node) in plain.graph().nodes() {
        let types = node.inputs.iter().map(|&v| Ok(&plain.graph().value(v)?.ty));
        let types: Vec<_> = types.collect::<Result<_>>()?;
        let variants = node.operator.variants(&types, device().caps());
        operators.entry(node.operator.name()).or_default().insert(variants);
    }
    let offered = |lists: BTreeSet<Vec<Variant>>| lists.into_iter().next().filter(|v| v.len() > 1);
    let offered: Vec<_> = operators
        .into_iter()
        .filter(|(_, lists)| lists.len() == 1)
        .filter_map(|(name, lists)| Some((name, offered(lists)?)))
        .collect();
    let most = offered.iter().map(|(_, variants)| variants.len()).max().unwrap_or(1);
    let plan = |round: usize| {
        let options = offered.iter().fold(PlanOptions::default(), |options, (name, variants)| {
            options.variant(name, variants[round % variants.len()])
        });
        Plan::with_options(&built.graph, &outputs, device().caps(), &options)
    };
    (0..most).map(plan).collect()
}

#[test]
fn the_kernels_are_pytorchs() -> Result<()> {
    let failures = kernels_failures()?;
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

/// Where the kernels differ from PyTorch, one line each. Each graph runs by the variants of the plan's choice, and by
/// others as long as one is new; in the sweep it runs by all.
pub fn kernels_failures() -> Result<Vec<String>> {
    let flushes = harness::flushes_denormals()?;
    let mut failures = Vec::new();
    let mut ran: BTreeSet<(&str, Variant)> = BTreeSet::new();
    for (_, cases) in operators() {
        let built = build(&cases[0])?;
        let weights = Weights::init(device(), &built.graph, 0)?;
        let outputs: Vec<Value> = built.outputs.iter().map(|output| output.1).collect();
        let mut chosen = vec![Plan::new(&built.graph, &outputs, device().caps())?];
        chosen.iter().for_each(|plan| ran.extend(variants(plan)));
        for plan in plans(&built)? {
            let (before, new) = (ran.len(), variants(&plan));
            ran.extend(new);
            if ran.len() > before || sweep::sweeping() {
                chosen.push(plan);
            }
        }
        for plan in chosen {
            let mut session = Session::new(device(), plan, &weights)?;
            for case in cases {
                for &(name, value) in &built.inputs {
                    match name {
                        "i0" => session.write(value, &case.i32(name))?,
                        _ => session.write(value, &case.f32(name))?,
                    }
                }
                session.step()?;
                for &(tensor, value) in &built.outputs {
                    failures.extend(compare(case, tensor, &session.read(value)?.to_f64(), flushes));
                }
            }
        }
    }
    failures.dedup();
    Ok(failures)
}

/// Operators without an answer of PyTorch's, and why.
const UNASKED: &[(&str, &str)] = &[
    ("sample_moments", "PyTorch has no running moments over samples"),
    ("running_sum", "a sum of two numbers, as add"),
    ("micro_batch_mean", "moves numbers, as copy; the sum over micro-batches is suite::parallel's"),
    ("in_top_k", "PyTorch leaves ties open: suite::metrics has a worked example, NaN among it"),
    ("augment_parameters", "draws of its own generator, made of whole numbers"),
    ("augment", "images are numbers from 0 to 1, and its parameters are drawn"),
    ("augment_gray", "as augment"),
    ("mix", "a mean of two, as add and scale"),
    ("byte_lookup", "moves numbers of a table, chosen by whole numbers"),
    ("one_hot", "ones and zeros, made of whole numbers"),
    ("weighted_avg_pool2d", "PyTorch has no pooling by distance; the kernels are average pooling's"),
    ("weighted_avg_pool2d_grad", "as weighted_avg_pool2d"),
    ("dropout", "its generator is another than PyTorch's: what_is_dropped_is_multiplied_by_zero"),
    ("dropout_mask", "ones and zeros, made of whole numbers"),
    ("batch_count", "counts whole numbers"),
    ("lion_update", "PyTorch has no Lion: a_nan_stays_in_sums_averages_and_lion"),
    ("accumulate_update", "PyTorch adds up in its gradients: a_nan_stays_in_sums_averages_and_lion"),
    ("ema_update", "as accumulate_update"),
    ("lerp_update", "moves tensors of one step; its two forms are PyTorch's lerp"),
];

/// Whoever adds an operator adds what PyTorch says of it, or a reason why there is nothing.
#[test]
fn every_operator_is_asked() -> Result<()> {
    let mut asked = BTreeSet::new();
    for (_, cases) in operators() {
        let built = build(&cases[0])?;
        asked.extend(built.graph.nodes().map(|(_, node)| node.operator.name()));
        for plan in plans(&built)? {
            asked.extend(plan.graph().nodes().map(|(_, node)| node.operator.name()));
        }
    }
    for case in updates::cases() {
        asked.extend(updates::build(case)?.graph.nodes().map(|(_, node)| node.operator.name()));
    }
    let known: BTreeSet<&str> =
        cases::all().iter().flat_map(|(_, cases)| cases).map(|case| case.operator.name()).collect();
    let unasked: BTreeSet<&str> = known.difference(&asked).copied().collect();
    let named: BTreeSet<&str> = UNASKED.iter().map(|(name, _)| *name).collect();
    assert_eq!(unasked, named, "special_values.py asks nothing of these; those here have a reason");
    Ok(())
}

/// Users read of every difference, and why it is there.
#[test]
fn the_docs_tell_every_difference() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let docs = words(include_str!("../../../docs/special-values.md"));
    for difference in DIFFERENCES {
        assert!(
            docs.contains(&words(difference.reason)),
            "docs/special-values.md lacks: {}",
            difference.reason
        );
    }
}

/// As PyTorch does it: NaN and infinities are NaN when dropped, ordinary numbers 0.
#[test]
fn what_is_dropped_is_multiplied_by_zero() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [64])?;
    let dy = graph.input("dy", [64])?;
    let y = graph.dropout(x, 0.5, 1, wgrad::Mode::Train)?;
    let dx = graph.gradients_from(&[(y, dy)], &[x])?[0].expect("the output depends on it");
    let mask = graph.dropout_mask(y)?;
    let plan = Plan::new(&graph, &[y, dx, mask], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    let fed: Vec<f32> = (0..64).map(|i| [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0][i % 4]).collect();
    session.write(x, &fed)?;
    session.write(dy, &fed)?;
    session.verify()?;
    let kept = session.read(mask)?.to_f64();
    assert!(kept.contains(&0.0) && kept.contains(&1.0));
    for found in [session.read(y)?.to_f64(), session.read(dx)?.to_f64()] {
        for i in 0..64 {
            let expected = f64::from(fed[i]) * kept[i] * 2.0;
            assert!(agrees(expected, found[i], 1.0), "{i}: {} kept {} is {}", fed[i], kept[i], found[i]);
        }
    }
    Ok(())
}
