//! Cross-entropy, its gradient, and the count of correct predictions.

use super::Array;
use crate::ops::cross_entropy::CrossEntropy;
use crate::tensor::Shape;

/// The mean loss of the labels that count, and how many those are.
pub fn cross_entropy(attributes: &CrossEntropy, logits: &Array, labels: &Array) -> (Array, Array) {
    let classes = logits.shape[1];
    let (mut sum, mut count) = (0.0, 0.0);
    for (row, &label) in logits.data.chunks(classes).zip(&labels.data) {
        if let Some(class) = class(attributes, label, classes) {
            sum += log_sum_exp(row) - row[class];
            count += 1.0;
        }
    }
    let mean = if count > 0.0 { sum / count } else { 0.0 };
    (Array::new(Shape::scalar(), vec![mean]), Array::new(Shape::scalar(), vec![count]))
}

/// Gradient of the loss by the logits, times `upstream`.
pub fn cross_entropy_grad(
    attributes: &CrossEntropy,
    logits: &Array,
    labels: &Array,
    count: &Array,
    upstream: &Array,
) -> Array {
    let classes = logits.shape[1];
    let mut gradient = Array::zeros(logits.shape.clone());
    for (n, &label) in labels.data.iter().enumerate() {
        let Some(class) = class(attributes, label, classes) else { continue };
        let row = &logits.data[n * classes..(n + 1) * classes];
        let total = log_sum_exp(row);
        for (c, x) in row.iter().enumerate() {
            let hot = if c == class { 1.0 } else { 0.0 };
            gradient.data[n * classes + c] =
                ((x - total).exp() - hot) * upstream.data[0] / count.data[0].max(1.0);
        }
    }
    gradient
}

/// Rows whose first maximal logit is the label.
pub fn correct_predictions(logits: &Array, labels: &Array) -> Array {
    let rows = logits.data.chunks(logits.shape[1]).zip(&labels.data);
    let right = rows.filter(|(row, label)| {
        let mut best = 0;
        for c in 1..row.len() {
            if row[c] > row[best] {
                best = c;
            }
        }
        best as f64 == **label
    });
    Array::new(Shape::scalar(), vec![right.count() as f64])
}

fn class(attributes: &CrossEntropy, label: f64, classes: usize) -> Option<usize> {
    let counts = label != f64::from(attributes.ignore_index) && label >= 0.0 && label < classes as f64;
    counts.then_some(label as usize)
}

fn log_sum_exp(row: &[f64]) -> f64 {
    let maximum = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    maximum + row.iter().map(|x| (x - maximum).exp()).sum::<f64>().ln()
}
