//! A label is permitted if every reader of the tensor permits it, in whichever order they were added.

use super::assert_says;
use crate::harness;
use wgrad::op::AdapterKind;
use wgrad::ops::losses::CrossEntropyOptions;
use wgrad::{Caps, Graph, HostData, HostTensor, Plan, Result, Session, Value, Weights};

/// What reads the labels.
#[derive(Clone, Copy)]
enum Reader {
    /// A loss over so many classes that ignores this label.
    Loss(usize, i32),
    /// An embedding of so many rows.
    Embedding(usize),
    /// A count of right predictions among so many classes.
    Count(usize),
}

/// A graph in which `readers` read `labels`, and what they make of them.
fn build(graph: &mut Graph, labels: Value, readers: &[Reader]) -> Result<Vec<Value>> {
    let count = graph.shape(labels)?.elements();
    let readers = readers.iter().enumerate().map(|(i, &reader)| match reader {
        Reader::Loss(classes, ignored) => {
            let logits = graph.input(&format!("logits{i}"), [count, classes])?;
            graph.cross_entropy_with(logits, labels, CrossEntropyOptions::new().ignore_index(ignored))
        }
        Reader::Embedding(rows) => {
            let weight = graph.input(&format!("weight{i}"), [rows, 3])?;
            graph.embedding(weight, labels)
        }
        Reader::Count(classes) => {
            let logits = graph.input(&format!("logits{i}"), [count, classes])?;
            graph.correct_predictions(logits, labels)
        }
    });
    readers.collect()
}

/// The readers, labels that all permit, and labels that one does not with what is said of it.
type Case = (&'static [Reader], &'static [i32], &'static [(i32, &'static str)]);

const CASES: [Case; 5] = [
    (
        &[Reader::Loss(4, -100), Reader::Loss(4, 255)],
        &[0, 3],
        &[(255, "not -100"), (-100, "not 255"), (4, "0..4")],
    ),
    (&[Reader::Loss(2, -100), Reader::Loss(4, -100)], &[0, 1, -100], &[(3, "0..2"), (-1, "outside 0..")]),
    (&[Reader::Loss(300, 255), Reader::Loss(4, 255)], &[3, 255], &[(254, "0..4")]),
    (&[Reader::Embedding(3), Reader::Loss(5, -100)], &[0, 2], &[(3, "0..3"), (-100, "index -100")]),
    (&[Reader::Count(4), Reader::Loss(4, 255)], &[0, 3, 255], &[(-100, "not 255"), (4, "0..4")]),
];

#[test]
fn a_session_takes_the_labels_that_all_readers_permit() -> Result<()> {
    let device = harness::device();
    for (readers, good, bad) in CASES {
        for reversed in [false, true] {
            let mut readers = readers.to_vec();
            if reversed {
                readers.reverse();
            }
            let mut graph = Graph::new();
            let labels = graph.input_i32("labels", good.len())?;
            // A view has what it is a view of restricted.
            let seen = graph.reshape(labels, [good.len()])?;
            build(&mut graph, seen, &readers)?;
            let weights = Weights::init(device, &graph, 0)?;
            // Nothing runs: what is written is checked first.
            let mut session = Session::new(device, Plan::new(&graph, &[], device.caps())?, &weights)?;
            session.write(labels, good)?;
            for &(label, words) in bad {
                let mut wrong = good.to_vec();
                wrong[1] = label;
                let error = session.write(labels, &wrong).expect_err("one reader does not permit it");
                assert_says(&error.to_string(), &["\"labels\"", &label.to_string(), "position 1", words]);
            }
        }
    }
    Ok(())
}

#[test]
fn constant_labels_are_checked_when_the_graph_is_built() -> Result<()> {
    let constant =
        |labels: &[i32]| HostTensor { shape: [labels.len()].into(), data: HostData::I32(labels.into()) };
    for (readers, good, bad) in CASES {
        for reversed in [false, true] {
            let mut readers = readers.to_vec();
            if reversed {
                readers.reverse();
            }
            let plan = |labels: &[i32]| {
                let mut graph = Graph::new();
                let labels = graph.constant(constant(labels))?;
                let outputs = build(&mut graph, labels, &readers)?;
                Plan::new(&graph, &outputs, &Caps::webgpu_defaults(AdapterKind::Software))
            };
            plan(good)?;
            for &(label, words) in bad {
                let mut wrong = good.to_vec();
                wrong[1] = label;
                let error = plan(&wrong).map(drop).expect_err("one reader does not permit it");
                assert_says(&error.to_string(), &[&label.to_string(), "position 1", words]);
            }
        }
    }
    // A single reader's error is that of its node, and the node is not there.
    let mut graph = Graph::new();
    let (logits, labels) = (graph.input("logits", [2, 4])?, graph.constant(constant(&[0, 9]))?);
    let error = graph.scoped("head", |g| g.cross_entropy(logits, labels)).expect_err("9 is no class");
    assert_says(&error.to_string(), &["cross_entropy \"head\"", "label 9 at position 1", "0..4"]);
    assert_eq!(graph.nodes().count(), 0);
    Ok(())
}

#[test]
fn a_constant_holds_as_many_numbers_as_its_shape_has() {
    let mut graph = Graph::new();
    for data in [vec![], vec![1.0; 5], vec![1.0; 7]] {
        let tensor = HostTensor { shape: [2, 3].into(), data: HostData::F32(data) };
        let error = graph.constant(tensor).expect_err("the numbers are not 6");
        assert_says(&error.to_string(), &["constant", "[2, 3] has 6 elements"]);
    }
}
