//! Augmentation: torchvision's images and labels, the distributions of what is drawn, the layer.

mod drawn;
mod layer;
mod torchvision;

use crate::harness::device;
use wgrad::ops::augment::{AugmentParameters, Augmentation};
use wgrad::{Graph, Plan, Result, Session, Shape, Value, Weights};

fn session(graph: &Graph, outputs: &[Value]) -> Result<Session> {
    let plan = Plan::new(graph, outputs, device().caps())?;
    Session::new(device(), plan, &Weights::init(device(), graph, 0)?)
}

/// The rows that are drawn for each sample, of steps one after the other.
fn rows(
    augmentation: Augmentation,
    images: impl Into<Shape>,
    seed: u64,
    steps: u32,
) -> Result<Vec<[f64; 16]>> {
    let images = images.into();
    let mut g = Graph::new();
    let tables = g.constant(augmentation.tables(&images).expect("the settings are valid"))?;
    let step = g.step_counter();
    let drawn = g.apply1(AugmentParameters { augmentation, images, seed, node: 0 }, &[step, tables])?;
    let mut session = session(&g, &[drawn])?;
    let mut rows = Vec::new();
    for _ in 0..steps {
        session.step()?;
        rows.extend_from_slice(session.read(drawn)?.to_f64().as_chunks().0);
    }
    Ok(rows)
}
