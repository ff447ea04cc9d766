//! Losses of class labels, their gradients, and the count of correct predictions.

use crate::op::{Array, Reference};
use crate::ops::cross_entropy::{ClassScores, CrossEntropy, CrossEntropyGrad, CrossEntropyWithGrad};
use crate::ops::losses::Reduction;
use crate::tensor::Shape;

/// The rows of scores (N, classes, ...), in the order of their labels.
fn rows(scores: &Array) -> Vec<Vec<f64>> {
    let inner: usize = scores.shape[2..].iter().product();
    let of = |row: usize| (0..scores.shape[1]).map(|c| scores.data[index(scores, inner, row, c)]).collect();
    (0..scores.shape[0] * inner).map(of).collect()
}

fn index(scores: &Array, inner: usize, row: usize, class: usize) -> usize {
    (row / inner * scores.shape[1] + class) * inner + row % inner
}

/// The slope of a row's loss by the logarithm of each class's probability: minus its target times its weight.
fn slopes(attributes: &CrossEntropy, label: f64, classes: usize, weight: Option<&Array>) -> Option<Vec<f64>> {
    let class = class(attributes, label, classes)?;
    let smoothing = f64::from(attributes.label_smoothing);
    let weight = |c: usize| weight.map_or(1.0, |w| w.data[c]);
    let target = |c: usize| smoothing / classes as f64 + if c == class { 1.0 - smoothing } else { 0.0 };
    Some((0..classes).map(|c| -weight(c) * target(c)).collect())
}

/// The loss and, unless there is one loss per label, the sum of the labels' weights.
impl Reference for CrossEntropy {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [scores, labels] = [inputs[0], inputs[1]];
        let weight = inputs.get(2).copied();
        let classes = scores.shape[1];
        let (mut losses, mut weights) = (Array::zeros(labels.shape.clone()), 0.0);
        for ((row, &label), loss) in rows(scores).iter().zip(&labels.data).zip(&mut losses.data) {
            let Some(slopes) = slopes(self, label, classes, weight) else { continue };
            let total = match self.scores {
                ClassScores::Logits => log_sum_exp(row),
                ClassScores::LogProbabilities => 0.0,
            };
            // A class with weight zero may have probability zero.
            let terms = row.iter().zip(&slopes).filter(|(_, slope)| **slope != 0.0);
            *loss = terms.map(|(x, slope)| slope * (x - total)).sum();
            weights += weight.map_or(1.0, |w| w.data[label as usize]);
        }
        let sum: f64 = losses.data.iter().sum();
        let scalar = |x: f64| Array::new(Shape::scalar(), vec![x]);
        match self.reduction {
            Reduction::None => vec![losses],
            Reduction::Mean if weights != 0.0 => vec![scalar(sum / weights), scalar(weights)],
            _ => vec![scalar(sum), scalar(weights)],
        }
    }
}

/// Gradient of the loss by the scores. Inputs: scores, labels, sum of weights, upstream, perhaps weights.
impl Reference for CrossEntropyGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (scores, labels, upstream) = (inputs[0], inputs[1], inputs[3]);
        let (classes, inner) = (scores.shape[1], scores.shape[2..].iter().product());
        let mut gradient = Array::zeros(scores.shape.clone());
        for (r, (row, &label)) in rows(scores).iter().zip(&labels.data).enumerate() {
            // An ignored row has a gradient of zero times its probabilities.
            let slopes = slopes(&self.forward, label, classes, inputs.get(4).copied());
            let counts = slopes.is_some();
            let slopes = slopes.unwrap_or_else(|| vec![0.0; classes]);
            let factor = match self.forward.reduction {
                Reduction::None => upstream.data[r],
                Reduction::Mean if inputs[2].data[0] != 0.0 => upstream.data[0] / inputs[2].data[0],
                _ => upstream.data[0],
            };
            let factor = if counts { factor } else { 0.0 };
            let all: f64 = slopes.iter().sum();
            let total = log_sum_exp(row);
            for c in 0..classes {
                let probability = match self.forward.scores {
                    ClassScores::Logits => (row[c] - total).exp(),
                    ClassScores::LogProbabilities => 0.0,
                };
                gradient.data[index(scores, inner, r, c)] = factor * (slopes[c] - probability * all);
            }
        }
        vec![gradient]
    }
}

fn class(attributes: &CrossEntropy, label: f64, classes: usize) -> Option<usize> {
    let counts = label != f64::from(attributes.ignore_index) && label >= 0.0 && label < classes as f64;
    counts.then_some(label as usize)
}

fn log_sum_exp(row: &[f64]) -> f64 {
    let maximum = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    maximum + row.iter().map(|x| (x - maximum).exp()).sum::<f64>().ln()
}

impl Reference for CrossEntropyWithGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut outputs = self.forward.reference(&inputs[..2]);
        let gradient = CrossEntropyGrad { forward: self.forward };
        let further = gradient.reference(&[inputs[0], inputs[1], &outputs[1], inputs[2]]);
        outputs.extend(further);
        outputs
    }
}
