//! Optimizers and the clipping of gradients: a parameter after each of three steps.

use super::{GRAPHS, compare};
use crate::harness::fixture::Fixture;
use crate::harness::{self, array, device, floats};
use std::collections::BTreeMap;
use wgrad::graph::{Init, Source};
use wgrad::op::Array;
use wgrad::optim::{Adadelta, Adagrad, Adam, AdamW, Ema, Lion, Nadam, Rmsprop, Sgd};
use wgrad::{Graph, HostTensor, Plan, Result, Session, Value, Weights};

/// Optimizers and clipping by graph.
pub fn cases() -> impl Iterator<Item = &'static Fixture> {
    let own = |case: &&Fixture| matches!(case.attributes["op"].as_str(), Some("optimizer" | "clip"));
    GRAPHS.values().flatten().filter(own)
}

/// A parameter called `p`, its gradient as an input, and the update of one by the other.
pub struct Update {
    pub graph: Graph,
    parameter: Value,
    gradient: Value,
    rate: Value,
}

pub fn build(case: &Fixture) -> Result<Update> {
    let mut graph = Graph::new();
    let size = case.array("x0").shape.clone();
    let parameter = graph.parameter("p", size.clone(), Init::Constant(0.0))?;
    let gradient = graph.input("gradient", size)?;
    let rate = graph.input_scalar("rate")?;
    let pairs = [(parameter, gradient)];
    let limit = |by: &str| case.attributes[by].as_f64();
    match case.attributes["rule"].as_str() {
        Some("Sgd") => Sgd::new(rate).apply(&mut graph, &pairs),
        Some("Sgd momentum") => {
            Sgd::new(rate).momentum(0.9).weight_decay(0.1).nesterov(true).apply(&mut graph, &pairs)
        }
        Some("Adam") => Adam::new(rate).apply(&mut graph, &pairs),
        Some("Adam amsgrad") => Adam::new(rate).amsgrad(true).apply(&mut graph, &pairs),
        Some("AdamW") => AdamW::new(rate).apply(&mut graph, &pairs),
        Some("Nadam") => Nadam::new(rate).apply(&mut graph, &pairs),
        Some("Rmsprop") => Rmsprop::new(rate).apply(&mut graph, &pairs),
        Some("Rmsprop centered") => Rmsprop::new(rate).centered(true).momentum(0.5).apply(&mut graph, &pairs),
        Some("Adagrad") => Adagrad::new(rate).apply(&mut graph, &pairs),
        Some("Adadelta") => Adadelta::new(rate).apply(&mut graph, &pairs),
        None => match (limit("norm"), limit("value")) {
            (Some(norm), _) => Sgd::new(rate).clip_norm(norm).apply(&mut graph, &pairs),
            (_, value) => {
                Sgd::new(rate).clip_value(value.expect("a limit is given")).apply(&mut graph, &pairs)
            }
        },
        other => panic!("no optimizer for {other:?}"),
    }?;
    Ok(Update { graph, parameter, gradient, rate })
}

/// The first parameter, the gradients of each step, and the rate.
fn fed(case: &Fixture) -> (HostTensor, Vec<HostTensor>, f32) {
    if !case.tensors.contains_key("x1") {
        // From zero, a step at a rate of -1 leaves the clipped gradient.
        let gradient = case.f32("x0");
        let zeros = vec![0.0; gradient.shape.elements()];
        return (floats(gradient.shape.clone(), zeros), vec![gradient], -1.0);
    }
    let (start, steps) = (case.f32("x0"), case.f32("x1"));
    let elements = start.shape.elements();
    let rows = steps.as_f32().expect("gradients are f32").chunks(elements);
    let rows = rows.map(|row| floats(start.shape.clone(), row.to_vec())).collect();
    (start, rows, 0.1)
}

#[test]
pub fn kernels_of_updates_are_pytorchs() -> Result<()> {
    let mut failures = Vec::new();
    for case in cases() {
        let Update { graph, gradient, rate, .. } = build(case)?;
        let (start, steps, number) = fed(case);
        let weights = Weights::init(device(), &graph, 0)?;
        weights.write("p", start.as_f32().expect("parameters are f32"))?;
        let mut session = Session::new(device(), Plan::new(&graph, &[], device().caps())?, &weights)?;
        session.write_scalar(rate, number)?;
        let mut found = Vec::new();
        for step in steps {
            session.write(gradient, &step)?;
            session.step()?;
            found.extend(weights.read("p")?.to_f64());
        }
        failures.extend(compare(case, "y", &found, harness::flushes_denormals()?));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

#[test]
fn references_of_updates_are_pytorchs() -> Result<()> {
    let mut failures = Vec::new();
    for case in cases() {
        let update = build(case)?;
        let (start, steps, rate) = fed(case);
        let mut known: BTreeMap<Value, Array> = BTreeMap::new();
        for (value, info) in update.graph.values() {
            if let Source::State { init: Init::Constant(first), .. } = info.source {
                known.insert(value, array(&HostTensor::filled(info.ty.shape.clone(), first)?));
            }
        }
        known.insert(update.parameter, array(&start));
        known.insert(update.rate, Array::new(Vec::new(), vec![f64::from(rate)]));
        let mut found = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            known.insert(update.gradient, array(step));
            take_step(&update.graph, number, &mut known);
            found.extend(known[&update.parameter].data.iter().copied());
        }
        failures.extend(compare(case, "y", &found, false));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

/// Runs every node by its reference; what is updated in place gets its new value, rounded to f32 as a buffer has it.
fn take_step(graph: &Graph, number: usize, known: &mut BTreeMap<Value, Array>) {
    for (value, info) in graph.values() {
        if matches!(info.source, Source::StepCounter) {
            known.insert(value, Array::new(Vec::new(), vec![number as f64]));
        }
    }
    let mut new = Vec::new();
    for (_, node) in graph.nodes() {
        let arguments: Vec<&Array> = node.inputs.iter().map(|value| &known[value]).collect();
        let outputs = node.operator.reference(&arguments);
        let rounded: Vec<Array> =
            outputs.into_iter().map(|array| array.map(|x| f64::from(x as f32))).collect();
        for &(output, input) in &node.operator.in_place() {
            new.push((node.inputs[input], rounded[output].clone()));
        }
        known.extend(node.outputs.iter().copied().zip(rounded));
    }
    known.extend(new);
}

/// What PyTorch has no optimizer for: a gradient that is NaN in one of the steps leaves a parameter that is, and so is its
/// average; the others are what they would be.
#[test]
fn a_nan_stays_in_sums_averages_and_lion() -> Result<()> {
    let mut graph = Graph::new();
    let parameter = graph.parameter("p", [5], Init::Constant(1.0))?;
    let gradient = graph.input("gradient", [5])?;
    let rate = graph.input_scalar("rate")?;
    let optimizer = Lion::new(rate).accumulate(2).average(Ema::new(0.5));
    optimizer.apply(&mut graph, &[(parameter, gradient)])?;
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), Plan::new(&graph, &[], device().caps())?, &weights)?;
    session.write_scalar(rate, 0.5)?;
    for step in [[1.0, f32::NAN, 1.0, 1.0, 1.0], [1.0, 1.0, f32::NAN, 1.0, f32::INFINITY]] {
        session.write(gradient, &step)?;
        session.verify()?;
    }
    let is_nan = |name: &str| -> Result<Vec<bool>> {
        Ok(weights.read(name)?.to_f64().into_iter().map(f64::is_nan).collect())
    };
    assert_eq!(is_nan("p")?, [false, true, true, false, false]);
    assert_eq!(weights.read("p")?.to_f64()[0], 0.5);
    let average = graph.values().map(|(_, info)| info.name.as_str()).find(|name| name.contains("average"));
    assert_eq!(is_nan(average.expect("averages are state"))?[..3], [false, true, true]);
    Ok(())
}
