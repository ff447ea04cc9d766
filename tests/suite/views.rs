//! Views share storage with their source: views of inputs and of parameters, in chains, as outputs.

use crate::harness::{device, numbers};
use wgrad::graph::Init;
use wgrad::{Graph, HostTensor, Plan, Result, Session, Weights};

fn session(graph: &Graph, outputs: &[wgrad::Value]) -> Result<Session> {
    let plan = Plan::new(graph, outputs, device().caps())?;
    Session::new(device(), plan, &Weights::init(device(), graph, 0)?)
}

#[test]
fn a_view_of_an_input_can_be_read_and_computed_with() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3, 4])?;
    let flat = graph.flatten(x)?;
    let y = graph.relu(flat)?;
    let data = numbers([2, 3, 4], 1);
    let mut session = session(&graph, &[flat, y])?;
    session.write(x, &data)?;
    session.step()?;
    assert_eq!(session.read(flat)?, HostTensor { shape: [2, 12].into(), data: data.data.clone() });
    let expected: Vec<f64> = data.to_f64().iter().map(|x| x.max(0.0)).collect();
    assert_eq!(session.read(y)?.to_f64(), expected);
    assert_eq!(session.plan().dispatches().len(), 1);
    Ok(())
}

#[test]
fn a_chain_of_views_keeps_its_source_alive() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [5, 6])?;
    let y = graph.relu(x)?;
    let a = graph.reshape(y, [30])?;
    let b = graph.reshape(a, [6, 5])?;
    let kept = graph.reshape(b, [3, 10])?;
    // Nodes after the last direct use of `y`, whose memory must not be taken by these.
    let mut last = b;
    for _ in 0..4 {
        last = graph.tanh(last)?;
    }
    let sum = graph.add(last, b)?;
    let data = numbers([5, 6], 2);
    let mut session = session(&graph, &[kept, sum])?;
    session.write(x, &data)?;
    session.step()?;
    let relu: Vec<f64> = data.to_f64().iter().map(|x| x.max(0.0)).collect();
    let found = session.read(kept)?;
    assert_eq!(&found.shape[..], [3, 10]);
    assert_eq!(found.to_f64(), relu);
    for (found, x) in session.read(sum)?.to_f64().into_iter().zip(&relu) {
        let expected = x + x.tanh().tanh().tanh().tanh();
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
    assert!(session.verify()?.iter().all(|v| v.operator != "reshape"));
    Ok(())
}

#[test]
fn a_view_of_a_parameter_reads_the_weights() -> Result<()> {
    let mut graph = Graph::new();
    let weight = graph.parameter("weight", [4, 3], Init::Uniform(1.0))?;
    let view = graph.reshape(weight, [2, 6])?;
    let y = graph.relu(view)?;
    let mut session = session(&graph, &[view, y])?;
    session.step()?;
    let whole = session.read(weight)?;
    let viewed = session.read(view)?;
    assert_eq!(whole.data, viewed.data);
    assert_eq!(&viewed.shape[..], [2, 6]);
    Ok(())
}

#[test]
fn a_view_of_the_wrong_size_is_refused() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3])?;
    let scalar = graph.input_scalar("scalar")?;
    let error = graph.reshape(x, [7]).expect_err("6 elements are not 7");
    assert_eq!(error.to_string(), "reshape \"reshape\": input [2, 3] has 6 elements, shape [7] has 7");
    let error = graph.flatten(scalar).expect_err("a scalar can't be flattened");
    assert!(error.to_string().contains("at least 1 dimension"), "{error}");
    Ok(())
}

#[test]
fn the_gradient_of_a_view_has_the_shape_of_its_source() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3, 2])?;
    let flat = graph.flatten(x)?;
    let upstream = graph.input("upstream", [2, 6])?;
    let gradient = graph.gradients_from(&[(flat, upstream)], &[x])?[0].expect("depends on x");
    let data = numbers([2, 6], 3);
    let mut session = session(&graph, &[gradient])?;
    session.write(upstream, &data)?;
    session.step()?;
    assert_eq!(session.read(gradient)?, HostTensor { shape: [2, 3, 2].into(), data: data.data });
    Ok(())
}
