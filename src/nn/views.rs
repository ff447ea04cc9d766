//! Evaluation over several views of each image.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};
use crate::ops::pad::PadMode;
use crate::tensor::{HostTensor, Shape};

/// Evaluates a network on several views of each image (N, C, H, W), and returns the weighted mean of its outputs: the image
/// and its mirror image count alike; with [`translate`](TestTimeViews::translate) half the weight goes to two diagonal
/// translations, as in airbench. All views go through the network as one batch. In training it is the network
/// alone.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Graph, Mode, nn, nn::Layer};
///
/// let net = nn::TestTimeViews::new(nn::models::resnet18(3, 10)).translate(1); // six views
/// let mut g = Graph::new();
/// let x = g.input("x", [8, 3, 32, 32])?;
/// let logits = net.forward(&mut g, x, Mode::Eval)?;
/// assert_eq!(g.shape(logits)?[..], [8, 10]);
/// # Ok(())
/// # }
/// ```
///
/// Statistics of a batch, of a network without running ones, are those of all views together.
#[derive(Debug)]
pub struct TestTimeViews {
    network: Box<dyn Layer>,
    translate: usize,
}

impl TestTimeViews {
    /// The image and its mirror image.
    pub fn new(network: impl Layer + 'static) -> Self {
        TestTimeViews { network: Box::new(network), translate: 0 }
    }

    setters! {
        /// Sets by how many pixels both are also moved, up and left, and down and right. What moves in from outside is
        /// reflected. 0 by default, for no translation.
        translate: usize;
    }
}

impl Layer for TestTimeViews {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        // What training sees, and what its statistics are measured on.
        if matches!(mode, Mode::Train | Mode::Population) {
            return self.network.forward(g, x, mode);
        }
        let shape = g.shape(x)?.clone();
        let [_, _, rows, columns] = shape[..] else {
            return Err(g.refusal("test_time_views", format!("expected images (N, C, H, W), found {shape}")));
        };
        let mut views = vec![x];
        if self.translate > 0 {
            let padded = g.pad(x, [[self.translate; 2]; 2], PadMode::Reflect)?;
            for start in [0, 2 * self.translate] {
                let band = g.slice(padded, 2, start..start + rows, 1)?;
                views.push(g.slice(band, 3, start..start + columns, 1)?);
            }
        }
        let mirrored = views.iter().map(|&view| g.flip(view, &[3])).collect::<Result<Vec<Value>>>()?;
        views.extend(mirrored);
        let count = views.len();
        let all = g.concatenate(&views, 0)?;
        let outputs = self.network.forward(g, all, mode)?;
        let of_each = g.shape(outputs)?.clone();
        // The image has half the weight, its translations a quarter each, if there are any.
        let weights: &[f32] =
            if count == 2 { &[0.5, 0.5] } else { &[0.25, 0.125, 0.125, 0.25, 0.125, 0.125] };
        let mut apart = vec![count, shape[0]];
        apart.extend(&of_each[1..]);
        let outputs = g.reshape(outputs, apart)?;
        let ones = vec![1; of_each.len()];
        let weights =
            g.constant(HostTensor::f32(Shape::from([&[count], &ones[..]].concat()), weights.to_vec())?)?;
        let weighted = g.mul(outputs, weights)?;
        g.sum(weighted, &[0], false)
    }
}
