//! Every operator refuses wrong numbers, types and ranks of inputs. The error has its name, and no node is left.

use crate::cases;
use std::sync::Arc;
use wgrad::graph::Init;
use wgrad::ops::pool2d::{MaxPool2d, Pool2d};
use wgrad::ops::unary::Unary;
use wgrad::{DType, Error, Graph, Shape, TensorType, Value};

/// A value of this type.
fn value(graph: &mut Graph, kind: &TensorType) -> Value {
    let name = format!("value{}", graph.values().count());
    let made = match kind.dtype {
        DType::F32 => graph.parameter(&name, kind.shape.clone(), Init::Constant(0.0)),
        DType::I32 => graph.input_i32(&name, kind.shape.clone()),
        DType::U32 => Ok(graph.step_counter()),
        DType::U8 => graph.input_u8(&name, kind.shape.clone()),
        other => panic!("no value holds {other}"),
    };
    made.expect("the shapes of cases are valid")
}

#[test]
fn any_other_number_of_inputs_is_refused_for_every_operator() {
    let mut refused = 0;
    for (family, cases) in cases::all() {
        for case in cases {
            let name = case.operator.name();
            let mut graph = Graph::new();
            let mut values: Vec<Value> = case.kinds().iter().map(|kind| value(&mut graph, kind)).collect();
            let (fewest, most) = case.operator.arity();
            assert!((fewest..=most).contains(&values.len()), "{family}: {}", case.name);
            let first = values[0];
            values.resize(values.len().max(most.min(values.len() + 8)) + 2, first);
            for count in (0..values.len()).filter(|count| !(fewest..=most).contains(count)) {
                let found = graph.apply_named("layer".into(), Arc::clone(&case.operator), &values[..count]);
                let error = found.expect_err("the number of inputs is wrong");
                let Error::Node { operator, node, message } = &error else { panic!("{name}: {error}") };
                assert_eq!((operator.as_str(), node.as_str()), (name, "layer"));
                assert!(message.contains(&format!("inputs, found {count}")), "{error}");
                refused += 1;
            }
            assert_eq!(graph.nodes().count(), 0, "{name}: what is refused leaves no node");
        }
    }
    assert!(refused > 1000, "{refused}");
}

/// Each input in turn gets another type or rank. Some operators take it; none panics, and what is refused is refused by
/// name.
#[test]
fn inputs_of_other_types_and_ranks_are_taken_or_refused_by_name() {
    let (mut taken, mut refused) = (0, 0);
    for (_, cases) in cases::all() {
        for case in cases.into_iter().take(12) {
            let kinds = case.kinds();
            for changed in 0..kinds.len().min(8) {
                let original = &kinds[changed];
                let mut longer = original.shape.to_vec();
                longer.insert(0, 2);
                let others = [
                    TensorType::i32(original.shape.clone()),
                    TensorType::u32(Shape::scalar()),
                    TensorType::f32(Shape::scalar()),
                    TensorType::f32([7]),
                    TensorType::f32(original.shape.iter().skip(1).copied().collect::<Vec<_>>()),
                    TensorType::f32(longer),
                    TensorType::f32([1, 1, 1, 1, 1, 1, 1, 3]),
                ];
                for other in others {
                    let mut graph = Graph::new();
                    let inputs: Vec<Value> = kinds
                        .iter()
                        .enumerate()
                        .map(|(i, kind)| value(&mut graph, if i == changed { &other } else { kind }))
                        .collect();
                    match graph.apply_named("layer".into(), Arc::clone(&case.operator), &inputs) {
                        Ok(_) => taken += 1,
                        Err(Error::Node { operator, node, .. }) => {
                            assert_eq!((operator.as_str(), node.as_str()), (case.operator.name(), "layer"));
                            refused += 1;
                        }
                        Err(error) => panic!("{}: {error}", case.name),
                    }
                }
            }
        }
    }
    assert!(taken > 100 && refused > 1000, "{taken} {refused}");
}

#[test]
fn an_operator_with_several_outputs_is_no_operator_with_one() {
    let mut graph = Graph::new();
    let x = graph.input("x", [1, 1, 4, 4]).expect("the input is valid");
    let pool = MaxPool2d(Pool2d::new([2, 2]).into());
    let error = graph.apply1(pool.clone(), &[x]).expect_err("it has two outputs").to_string();
    assert!(error.contains("max_pool2d") && error.contains("2 outputs"), "{error}");
    assert_eq!((graph.nodes().count(), graph.values().count()), (0, 1));
    let outputs = graph.apply(pool, &[x]).expect("apply returns both");
    assert_eq!(outputs.len(), 2);
    // What was refused used no name up.
    let (_, node) = graph.nodes().next().expect("it was appended");
    assert_eq!(node.name, "max_pool2d");
}

#[test]
fn names_of_nodes_are_told_apart_whatever_names_users_give() {
    let mut graph = Graph::new();
    let x = graph.input("x", [2]).expect("the input is valid");
    for name in ["a#2", "a", "a", "a#2", "a"] {
        graph.apply_named(name.into(), Arc::new(Unary::Relu), &[x]).expect("relu fits");
    }
    let names: Vec<&str> = graph.nodes().map(|(_, node)| node.name.as_str()).collect();
    assert_eq!(names, ["a#2", "a", "a#3", "a#2#2", "a#4"]);
}
