//! How many predictions are right.

use crate::op::{Array, Reference};
use crate::ops::correct::CorrectPredictions;
use crate::tensor::Shape;

/// Rows whose first maximal logit is the label; NaN is larger than anything.
impl Reference for CorrectPredictions {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [logits, labels] = [inputs[0], inputs[1]];
        let rows = logits.data.chunks(logits.shape[1]).zip(&labels.data);
        let right = rows.filter(|(row, label)| {
            let mut best = 0;
            for c in 1..row.len() {
                if row[c] > row[best] || (row[c].is_nan() && !row[best].is_nan()) {
                    best = c;
                }
            }
            best as f64 == **label
        });
        vec![Array::new(Shape::scalar(), vec![right.count() as f64])]
    }
}
