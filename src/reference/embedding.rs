//! Rows of a weight by index, and the sum that undoes it.

use super::Array;
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
