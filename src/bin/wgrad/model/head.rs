//! What the shapes of a file's tensors say of its network: how many classes it tells and how many channels it takes. Two
//! networks of the name that differ in one number show which sizes it decides.

use crate::out::Outcome;
use std::collections::BTreeMap;
use wgrad::nn::{Layer, models};
use wgrad::weights::TensorFile;
use wgrad::{Graph, Mode};

/// A network as it was published.
#[derive(Clone, Copy)]
pub(super) struct Published {
    pub(super) channels: usize,
    pub(super) classes: usize,
    pub(super) side: usize,
}

impl Published {
    pub(super) fn of(name: &str) -> Published {
        match name {
            "lenet5" => Published { channels: 1, classes: 10, side: 28 },
            _ => Published { channels: 3, classes: 1000, side: 224 },
        }
    }

    pub(super) fn item(self) -> Vec<usize> {
        vec![self.channels, self.side, self.side]
    }
}

/// What a file tells; `None` where no tensor does.
pub(super) struct Found {
    pub(super) channels: Option<usize>,
    pub(super) classes: Option<usize>,
}

/// What programs put in front of PyTorch's names, as `LoadOptions::strip_wrappers` knows it.
const WRAPPERS: [&str; 4] = ["", "module.", "_orig_mod.", "model."];

/// Looks for the sizes of a network of this name in a file.
pub(super) fn find(name: &str, file: &TensorFile) -> Outcome<Found> {
    let base = shapes(name, 3, 11)?;
    let size = |other: &BTreeMap<String, Vec<usize>>| {
        base.iter().find_map(|(tensor, shape)| {
            let axis = shape.iter().zip(&other[tensor]).position(|(a, b)| a != b)?;
            let held = WRAPPERS.iter().find_map(|prefix| file.tensor(&format!("{prefix}{tensor}")))?;
            (held.shape.len() == shape.len())
                .then(|| held.shape[axis])
                .filter(|size| (1..1 << 20).contains(size))
        })
    };
    Ok(Found { channels: size(&shapes(name, 4, 11)?), classes: size(&shapes(name, 3, 13)?) })
}

/// The shapes of all parameters.
fn shapes(name: &str, channels: usize, classes: usize) -> Outcome<BTreeMap<String, Vec<usize>>> {
    let side = Published::of(name).side;
    let mut graph = Graph::new();
    let images = graph.input("images", [1, channels, side, side])?;
    if let Some(network) = models::by_name(name, channels, classes) {
        network.forward(&mut graph, images, Mode::Eval)?;
    }
    let shape = |value| graph.value(value).map(|info| (info.name.clone(), info.ty.shape.to_vec()));
    Ok(graph.parameters().into_iter().map(shape).collect::<wgrad::Result<_>>()?)
}
