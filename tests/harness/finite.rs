//! Checks backward rules without a GPU: gradients by the graph's rules, computed with the f64
//! references, against central differences of the reference itself.

use super::{Case, array};
use std::collections::BTreeMap;
use std::sync::Arc;
use wgrad::graph::Source;
use wgrad::op::Array;
use wgrad::{Graph, HostData, Value};

/// Every value of `graph` by the references, from the contents of its inputs.
pub fn evaluate(graph: &Graph, inputs: &BTreeMap<Value, Array>) -> BTreeMap<Value, Array> {
    let mut known = inputs.clone();
    for (value, info) in graph.values() {
        if let Source::Constant(tensor) = &info.source {
            known.insert(value, array(tensor));
        }
    }
    for (_, node) in graph.nodes() {
        let arguments: Vec<&Array> = node.inputs.iter().map(|v| &known[v]).collect();
        let results = node.operator.reference(&arguments);
        known.extend(node.outputs.iter().copied().zip(results));
    }
    known
}

/// Fails unless the gradients of output 0 of `case` by the inputs `by` agree with differences.
pub fn check_gradients(case: &Case, by: &[usize]) {
    if let Err(message) = compare_gradients(case, by) {
        panic!("{message}");
    }
}

/// The first gradient of output 0 of `case` by the inputs `by` that does not agree with differences.
pub fn compare_gradients(case: &Case, by: &[usize]) -> Result<(), String> {
    const STEP: f64 = 1e-5;
    let mut graph = Graph::new();
    let mut contents = BTreeMap::new();
    let mut values = Vec::new();
    for (i, tensor) in case.inputs.iter().enumerate() {
        let name = format!("input{i}");
        let value = match tensor.data {
            HostData::F32(_) => graph.input(&name, tensor.shape.clone()).expect("shapes of cases are valid"),
            HostData::I32(_) => {
                graph.input_i32(&name, tensor.shape.clone()).expect("shapes of cases are valid")
            }
            HostData::U32(_) => graph.step_counter(),
            HostData::U8(_) => {
                graph.input_u8(&name, tensor.shape.clone()).expect("shapes of cases are valid")
            }
            ref other => panic!("no input holds {other:?}"),
        };
        contents.insert(value, array(tensor));
        values.push(value);
    }
    let outputs = graph
        .apply_named("case".into(), Arc::clone(&case.operator), &values)
        .expect("cases fit their operator");
    let output = outputs[0];
    let shape = graph.shape(output).expect("of this graph").clone();
    let upstream = graph.input("upstream", shape.clone()).expect("shapes of cases are valid");
    contents.insert(upstream, array(&super::numbers(shape, 99)));
    let wanted: Vec<Value> = by.iter().map(|&i| values[i]).collect();
    let gradients = graph.gradients_from(&[(output, upstream)], &wanted).expect("the rule applies");
    let by_rule = evaluate(&graph, &contents);
    let weighted = |inputs: &[&Array]| -> f64 {
        let result = &case.operator.reference(inputs)[0];
        result.data.iter().zip(&contents[&upstream].data).map(|(y, g)| y * g).sum()
    };
    for (&i, gradient) in by.iter().zip(gradients) {
        let gradient = &by_rule[&gradient.expect("the output depends on this input")];
        let scale = gradient.data.iter().fold(1e-3f64, |m, x| m.max(x.abs()));
        let mut inputs: Vec<Array> = case.inputs.iter().map(array).collect();
        assert_eq!(gradient.shape, inputs[i].shape, "{}: gradient {i} has another shape", case.name);
        for element in 0..gradient.data.len() {
            let middle = inputs[i].data[element];
            let mut at = |x: f64| {
                inputs[i].data[element] = x;
                weighted(&inputs.iter().collect::<Vec<_>>())
            };
            let slope = (at(middle + STEP) - at(middle - STEP)) / (2.0 * STEP);
            inputs[i].data[element] = middle;
            let error = (slope - gradient.data[element]).abs() / scale;
            if error.is_nan() || error >= 1e-6 {
                return Err(format!(
                    "{} {}: gradient of input {i}, element {element} is {}, differences give {slope}",
                    case.operator.name(),
                    case.name,
                    gradient.data[element]
                ));
            }
        }
    }
    Ok(())
}
