//! Rows of a weight by index, and the sum that undoes it.

use crate::op::{Array, Reference};
use crate::ops::embedding::Embedding;
use crate::ops::embedding::EmbeddingGrad;

/// The row of each index; zeros for what is no row.
pub fn embedding(weight: &Array, indices: &Array) -> Array {
    let (rows, features) = (weight.shape[0], weight.shape[1]);
    let row = |&index: &f64| match index as usize {
        r if index >= 0.0 && r < rows => weight.data[r * features..(r + 1) * features].to_vec(),
        _ => vec![0.0; features],
    };
    let data: Vec<f64> = indices.data.iter().flat_map(row).collect();
    Array::new([&indices.shape[..], &[features]].concat(), data)
}

/// The gradient of the weight.
pub fn embedding_grad(attributes: &EmbeddingGrad, indices: &Array, dy: &Array) -> Array {
    let features = dy.data.len() / indices.data.len();
    let mut dweight = Array::zeros([attributes.rows, features]);
    for (position, &index) in indices.data.iter().enumerate() {
        let row = index as usize;
        if index >= 0.0 && row < attributes.rows && Some(row) != attributes.forward.padding {
            for feature in 0..features {
                dweight.data[row * features + feature] += dy.data[position * features + feature];
            }
        }
    }
    dweight
}

impl Reference for Embedding {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![embedding(inputs[0], inputs[1])]
    }
}

impl Reference for EmbeddingGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![embedding_grad(self, inputs[0], inputs[1])]
    }

    fn largest_sum_of_terms(&self, _output: usize, inputs: &[&Array]) -> Option<f64> {
        Some(embedding_grad(self, inputs[0], &inputs[1].map(f64::abs)).largest())
    }
}
