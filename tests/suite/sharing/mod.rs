//! Layers that are applied more than once, several optimizers over one network, and several graphs with one set of
//! weights, against PyTorch's steps (`fixtures/shared_layers.py`); and what may not be shared.

mod across;
mod averaged;
mod layers;
mod optimizers;

use crate::harness::device;
use crate::harness::fixture::{Fixture, assert_close};
use wgrad::op::Array;
use wgrad::{Graph, Result, Session, Value, Weights};

/// A case of the fixture, before its steps and after them.
fn fixture(case: &str) -> [Fixture; 2] {
    let mut found = Fixture::all("shared_layers");
    ["after", "before"].map(|when| {
        let name = format!("{case}.{when}");
        let i = found.iter().position(|f| f.name == name).expect("the fixture has this case");
        found.swap_remove(i)
    })
}

/// One of the steps' inputs: element `index` of a tensor's first dimension.
fn part(array: &Array, index: usize) -> Vec<f32> {
    let elements = array.shape[1..].iter().product::<usize>();
    array.data[index * elements..][..elements].iter().map(|&x| x as f32).collect()
}

/// The graph's weights with the fixture's contents, whose names they must have.
fn weights_of(g: &Graph, before: &Fixture) -> Result<Weights> {
    let weights = Weights::init(device(), g, 0)?;
    set(&weights, before)?;
    Ok(weights)
}

fn set(weights: &Weights, before: &Fixture) -> Result<()> {
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    for name in before.tensors.keys().filter(|name| names.contains(name)) {
        weights.write(name, before.f32(name).as_f32().expect("parameters are floats"))?;
    }
    Ok(())
}

/// Every tensor of the state dict that the weights hold.
fn assert_weights(weights: &Weights, after: &Fixture, expected: usize) -> Result<()> {
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    let names: Vec<&String> = after.tensors.keys().filter(|name| names.contains(name)).collect();
    assert_eq!(names.len(), expected, "{names:?}");
    for name in names {
        assert_close(after, name, &weights.read(name)?, 2e-5);
    }
    Ok(())
}

fn assert_losses(session: &mut Session, after: &Fixture, losses: &[Value]) -> Result<()> {
    let expected = after.array("losses");
    for (i, &loss) in losses.iter().enumerate() {
        for (step, found) in session.recorded(loss)?.to_f64().into_iter().enumerate() {
            let expected = expected.data[step * losses.len() + i];
            let error = (found - expected).abs() / expected.abs();
            assert!(error <= 1e-5, "step {step}: loss {i} is {found}, PyTorch {expected}");
        }
    }
    Ok(())
}
