//! Embeddings: a learned row for each index.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Init, LayerId, Mode, Value};
use crate::ops::embedding::EmbeddingOptions;

/// Replaces each index by its row of a table: i32 of any shape to that shape with `features` appended. As a
/// network's first layer it takes a [`Graph::input_i32`].
///
/// Parameter: `weight` \[rows, features], initially normal with mean 0 and standard deviation 1, as in
/// PyTorch.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Graph, Mode, nn, nn::Layer};
///
/// let mut g = Graph::new();
/// let words = g.input_i32("words", [16, 100])?;
/// let y = nn::Embedding::new(5000, 64).padding_idx(0).forward(&mut g, words, Mode::Train)?;
/// assert_eq!(g.shape(y)?[..], [16, 100, 64]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Embedding {
    rows: usize,
    features: usize,
    padding: Option<usize>,
    id: LayerId,
}

impl Embedding {
    /// A table of this many rows of this many features.
    pub fn new(rows: usize, features: usize) -> Self {
        Embedding { rows, features, padding: None, id: LayerId::new() }
    }

    /// Sets the index that only pads sequences, PyTorch's `padding_idx`: its row starts as zeros and is never
    /// trained.
    #[must_use]
    pub fn padding_idx(mut self, row: usize) -> Self {
        self.padding = Some(row);
        self
    }
}

impl Layer for Embedding {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        let init = match self.padding {
            None => Init::Normal { mean: 0.0, std: 1.0 },
            Some(row) => Init::NormalWithZeroRow { row },
        };
        g.layer(&self.id, |g| {
            let weight = g.parameter("weight", [self.rows, self.features], init)?;
            g.embedding_with(weight, x, EmbeddingOptions::new().padding_idx(self.padding))
        })
    }
}
