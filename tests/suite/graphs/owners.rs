//! Values and nodes belong to the graph that made them, to its later clones, and to plans of either.

use super::assert_says;
use crate::harness;
use wgrad::op::AdapterKind;
use wgrad::{Caps, Error, Graph, Plan, Result, Session, Value, Weights};

fn caps() -> Caps {
    Caps::webgpu_defaults(AdapterKind::Software)
}

/// A graph with one input `x`, a function of it, and a clone of it made between the two.
fn original_and_clone() -> Result<(Graph, Graph, Value, Value)> {
    let mut original = Graph::new();
    let x = original.input("x", [4])?;
    let clone = original.clone();
    let y = original.relu(x)?;
    Ok((original, clone, x, y))
}

#[test]
fn a_value_made_after_the_clone_is_not_taken_for_one_of_the_clone() -> Result<()> {
    let (mut original, mut clone, x, y) = original_and_clone()?;
    // The same number, and something else.
    let z = clone.input("z", [7])?;
    assert_ne!(y, z);
    for (graph, own, other) in [(&mut original, y, z), (&mut clone, z, y)] {
        assert!(graph.owns(own) && graph.owns(x) && !graph.owns(other));
        let found: Vec<Value> = graph.values().map(|(value, _)| value).collect();
        assert_eq!(found, [x, own], "values are given out as they were made");
        let another = "another graph";
        for error in [
            graph.relu(other).map(drop),
            graph.value(other).map(drop),
            graph.shape(other).map(drop),
            graph.summary(other).map(drop),
            graph.gradients(other, &[x]).map(drop),
            Plan::new(graph, &[other], &caps()).map(drop),
        ] {
            assert_says(&error.expect_err("the value is not of this graph").to_string(), &[another, "%1"]);
        }
    }
    assert_eq!(clone.shape(z)?[..], [7]);
    assert_eq!(clone.shape(x)?[..], [4], "what was there before is in both");
    Ok(())
}

#[test]
fn values_are_known_through_many_clones_however_they_branch() -> Result<()> {
    let mut graph = Graph::new();
    let mut made = vec![graph.input("x0", [1])?];
    let mut graphs = vec![graph.clone()];
    for generation in 1..6 {
        made.push(graph.input(&format!("x{generation}"), [1])?);
        // A side branch that makes values of its own, and one that makes none.
        let mut side = graph.clone().clone();
        let own = side.input("side", [1])?;
        assert!(made.iter().all(|&value| side.owns(value)) && side.owns(own) && !graph.owns(own));
        assert!(graphs.iter().all(|earlier| !earlier.owns(own) && !earlier.owns(made[generation])));
        graphs.push(side);
        graph = graph.clone();
    }
    assert!(made.iter().all(|&value| graph.owns(value)));
    assert_eq!(graph.values().map(|(value, _)| value).collect::<Vec<_>>(), made);
    Ok(())
}

#[test]
fn nodes_of_another_graph_are_refused() -> Result<()> {
    let (original, clone, _, y) = original_and_clone()?;
    let (node, _) = original.nodes().next().expect("there is a node");
    assert_eq!(original.node(node)?.operator.name(), "relu");
    assert_eq!(original.clone().node(node)?.name, "relu");
    let plan = Plan::new(&original, &[y], &caps())?;
    for graph in [&clone, &Graph::new(), plan.graph()] {
        let error = graph.node(node).map(drop).expect_err("the node is not of this graph");
        assert_says(&error.to_string(), &["node 0", "another graph"]);
    }
    let planned = plan.steps()[0].node;
    assert_eq!(plan.graph().node(planned)?.operator.name(), "relu");
    assert!(original.node(planned).is_err());
    Ok(())
}

#[test]
fn a_plan_knows_the_values_that_were_there_and_no_later_ones() -> Result<()> {
    let (mut original, _, x, y) = original_and_clone()?;
    let mut clone = original.clone();
    let z = clone.neg(y)?;
    // The plan fuses both functions and makes values of its own under way.
    let plan = Plan::new(&clone, &[z, y], &caps())?;
    let later = [original.neg(y)?, clone.exp(z)?];
    for value in later {
        assert!(!plan.graph().owns(value));
        assert_eq!(plan.place(value), None);
    }
    assert!([x, y, z].into_iter().all(|value| plan.graph().owns(value) && plan.place(value).is_some()));

    let device = harness::device();
    let weights = Weights::init(device, &clone, 0)?;
    let mut session = Session::new(device, plan, &weights)?;
    session.write(x, &[1.0, -2.0, 3.0, -4.0])?;
    session.step()?;
    assert_eq!(session.read(z)?.to_f64(), [-1.0, 0.0, -3.0, 0.0]);
    assert_eq!(session.read(y)?.to_f64(), [1.0, 0.0, 3.0, 0.0]);
    for value in later {
        let name = format!("%{}", 3 - usize::from(value == later[0]));
        for error in [
            session.read(value).map(drop),
            session.write(value, &[0.0; 4]),
            session.record(value, 1),
            session.recorded(value).map(drop),
        ] {
            let error = error.expect_err("the value was added after planning");
            assert!(matches!(error, Error::Graph(_)), "{error}");
            assert_says(&error.to_string(), &["another graph", &name]);
        }
    }
    Ok(())
}

#[test]
fn what_a_plan_fused_away_is_not_built_upon() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [4])?;
    let y = graph.relu(x)?;
    let z = graph.neg(y)?;
    let plan = Plan::new(&graph, &[z], &caps())?;
    let mut rewritten = plan.graph().clone();
    for error in [rewritten.exp(y).map(drop), Plan::new(&rewritten, &[y], &caps()).map(drop)] {
        assert_says(&error.expect_err("y is kept nowhere").to_string(), &["\"relu\"", "kept nowhere"]);
    }
    let w = rewritten.exp(z)?;
    Plan::new(&rewritten, &[w], &caps())?;
    Ok(())
}
