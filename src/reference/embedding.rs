//! Rows of a weight by index, and the weight's gradient.

use crate::op::{Array, Reference};
use crate::ops::embedding::{Embedding, EmbeddingGrad};

/// The row of each index; zeros for an index out of range.
impl Reference for Embedding {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [weight, indices] = [inputs[0], inputs[1]];
        let (rows, features) = (weight.shape[0], weight.shape[1]);
        let row = |&index: &f64| match index as usize {
            r if index >= 0.0 && r < rows => weight.data[r * features..(r + 1) * features].to_vec(),
            _ => vec![0.0; features],
        };
        let data: Vec<f64> = indices.data.iter().flat_map(row).collect();
        vec![Array::new([&indices.shape[..], &[features]].concat(), data)]
    }
}

/// The gradient of the weight.
impl Reference for EmbeddingGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [indices, dy] = [inputs[0], inputs[1]];
        let features = dy.data.len() / indices.data.len();
        let mut dweight = Array::zeros([self.rows, features]);
        for (position, &index) in indices.data.iter().enumerate() {
            let row = index as usize;
            if index >= 0.0 && row < self.rows && Some(row) != self.forward.padding {
                for feature in 0..features {
                    dweight.data[row * features + feature] += dy.data[position * features + feature];
                }
            }
        }
        vec![dweight]
    }

    fn largest_sum_of_terms(&self, _output: usize, inputs: &[&Array]) -> Option<f64> {
        Some(self.reference(&[inputs[0], &inputs[1].map(f64::abs)])[0].largest())
    }
}
