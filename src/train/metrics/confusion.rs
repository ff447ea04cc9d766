//! The confusion matrix, and precision, recall, F1 and intersection over union by class.

use super::{Metric, Seen};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::matmul::MatMul;
use std::fmt;

/// Counts predictions by class and by label. For logits `[n, classes]` with labels `[n]`, or logits
/// `[n, classes, ...]` with a label for each position, as in segmentation. Ignored labels count nowhere.
///
/// Figures: `accuracy` over all labels (for pixels the per-pixel accuracy), and the means over classes of
/// `precision`, `recall`, `f1` and `iou`. [`Evaluation::confusion`](crate::train::Evaluation::confusion) has the
/// matrix itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Confusion;

impl Metric for Confusion {
    fn name(&self) -> String {
        "confusion".into()
    }

    fn build(&self, g: &mut Graph, seen: &Seen) -> Result<Value> {
        let target = seen.target(g)?;
        let shape = g.shape(seen.prediction)?.clone();
        let Some(&classes) = shape.get(1) else {
            return Err(g.refusal("confusion", format!("expects logits [n, classes, ...], found {shape}")));
        };
        let labels = g.shape(target)?.elements();
        let found = g.argmax(seen.prediction, Some(1), false)?;
        let rows = |g: &mut Graph, labels_of: Value| -> Result<Value> {
            let flat = g.reshape(labels_of, [labels])?;
            g.one_hot(flat, classes)
        };
        let (wanted, found) = (rows(g, target)?, rows(g, found)?);
        g.apply1(MatMul { transpose_lhs: true, transpose_rhs: false }, &[wanted, found])
    }

    fn figures(&self, sum: &[f64], _samples: u64, _batches: u64) -> Vec<(String, f64)> {
        let matrix = ConfusionMatrix::of(sum);
        [
            ("accuracy", matrix.accuracy()),
            ("precision", matrix.mean(ConfusionMatrix::precision)),
            ("recall", matrix.mean(ConfusionMatrix::recall)),
            ("f1", matrix.mean(ConfusionMatrix::f1)),
            ("iou", matrix.mean(ConfusionMatrix::iou)),
        ]
        .map(|(name, figure)| (name.to_owned(), figure))
        .into()
    }

    fn confusion(&self, sum: &[f64]) -> Option<ConfusionMatrix> {
        Some(ConfusionMatrix::of(sum))
    }

    fn ignores_padding(&self) -> bool {
        true
    }
}

/// How many samples (or pixels) of each class were taken for each class.
///
/// Figures by class are scikit-learn's. A class without a prediction or without a label has a precision or a recall of
/// 0, and is left out of means if it has neither.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// A matrix of these counts, row by row: `counts[label * classes + prediction]`.
    pub(super) fn of(sum: &[f64]) -> ConfusionMatrix {
        let classes = sum.len().isqrt();
        ConfusionMatrix { classes, counts: sum.iter().map(|&count| count as u64).collect() }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many of class `label` were taken for class `prediction`; 0 for a class that there is not.
    pub fn count(&self, label: usize, prediction: usize) -> u64 {
        match label < self.classes && prediction < self.classes {
            true => self.counts[label * self.classes + prediction],
            false => 0,
        }
    }

    /// All that were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of all that were taken for their own class.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        ratio(right, self.total())
    }

    /// Of those taken for `class`, the share that is.
    pub fn precision(&self, class: usize) -> f64 {
        ratio(self.count(class, class), self.predicted(class))
    }

    /// Of those of `class`, the share that was taken for it.
    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.count(class, class), self.labelled(class))
    }

    /// The harmonic mean of precision and recall.
    pub fn f1(&self, class: usize) -> f64 {
        ratio(2 * self.count(class, class), self.predicted(class) + self.labelled(class))
    }

    /// Intersection over union: those of `class` that were taken for it, over all that are or were taken for it.
    pub fn iou(&self, class: usize) -> f64 {
        let both = self.count(class, class);
        ratio(both, self.predicted(class) + self.labelled(class) - both)
    }

    /// The mean of a figure over the classes that have a label or a prediction.
    pub fn mean(&self, figure: impl Fn(&Self, usize) -> f64) -> f64 {
        let there = |&class: &usize| self.predicted(class) + self.labelled(class) > 0;
        let figures: Vec<f64> = (0..self.classes).filter(there).map(|class| figure(self, class)).collect();
        if figures.is_empty() { 0.0 } else { figures.iter().sum::<f64>() / figures.len() as f64 }
    }

    /// How many were taken for `class`.
    pub fn predicted(&self, class: usize) -> u64 {
        (0..self.classes).map(|label| self.count(label, class)).sum()
    }

    /// How many are of `class`.
    pub fn labelled(&self, class: usize) -> u64 {
        (0..self.classes).map(|prediction| self.count(class, prediction)).sum()
    }

    /// A table of the figures by class, under these names; a class without one has its number.
    pub fn table(&self, names: &[String]) -> String {
        let name =
            |class: usize| names.get(class).map_or_else(|| class.to_string(), |n| crate::file::printable(n));
        let wide = (0..self.classes).map(|class| name(class).chars().count()).max().unwrap_or(0).max(5);
        let mut text = format!("{:wide$}  precision  recall      f1     iou   count\n", "class");
        for class in 0..self.classes {
            text += &format!(
                "{:wide$}  {:9.4}  {:6.4}  {:6.4}  {:6.4}  {:6}\n",
                name(class),
                self.precision(class),
                self.recall(class),
                self.f1(class),
                self.iou(class),
                self.labelled(class)
            );
        }
        text
    }
}

/// The counts, a row for each label and a column for each prediction.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wide = self
            .counts
            .iter()
            .max()
            .map_or(1, |most| most.to_string().len())
            .max(self.classes.to_string().len());
        for label in 0..self.classes {
            for prediction in 0..self.classes {
                let gap = if prediction > 0 { " " } else { "" };
                write!(f, "{gap}{:wide$}", self.count(label, prediction))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
