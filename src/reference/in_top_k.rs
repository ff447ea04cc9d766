//! Labels among the likeliest classes.

use crate::op::{Array, Reference};
use crate::ops::in_top_k::InTopK;

/// The label's place in its row's classes, sorted by logit.
impl Reference for InTopK {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [logits, labels] = [inputs[0], inputs[1]];
        let rows = logits.data.chunks(logits.shape[1]).zip(&labels.data);
        let within = rows.map(|(row, &label)| {
            let mut classes: Vec<usize> = (0..row.len()).collect();
            // The sort is stable, so that equal logits stay in the classes' order.
            classes.sort_by(|&a, &b| match (row[a].is_nan(), row[b].is_nan()) {
                (false, false) => row[b].partial_cmp(&row[a]).expect("neither is NaN"),
                (a, b) => b.cmp(&a),
            });
            let found = classes.iter().take(self.k).any(|&class| class as f64 == label);
            f64::from(u8::from(found))
        });
        vec![Array::new([labels.data.len()], within.collect())]
    }
}
