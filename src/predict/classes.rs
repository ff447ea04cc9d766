//! Class probabilities, and the classes that are most probable.

use crate::error::{Error, Result};
use crate::tensor::HostTensor;

/// A class that an item may be of.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Class {
    /// Its number.
    pub label: usize,
    /// Its name, or its number where the file names none.
    pub name: String,
    /// Its probability.
    pub probability: f32,
}

/// The softmax of each row of logits \[n, classes], in f64. A row with a NaN or a positive infinity is NaN, as in
/// PyTorch.
pub(super) fn probabilities(mut logits: HostTensor) -> Result<HostTensor> {
    let &[_, classes] = &logits.shape[..] else {
        let message = format!("the network makes {} of a batch, expected logits [n, classes]", logits.shape);
        return Err(Error::Setting { setting: "classify", message });
    };
    if let crate::tensor::HostData::F32(all) = &mut logits.data {
        for row in all.chunks_mut(classes.max(1)) {
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers: Vec<f64> = row.iter().map(|&x| (f64::from(x) - f64::from(most)).exp()).collect();
            let sum: f64 = powers.iter().sum();
            row.iter_mut().zip(powers).for_each(|(x, power)| *x = (power / sum) as f32);
        }
    }
    Ok(logits)
}

/// The `top` most probable classes of each row, the most probable first; of equal ones the lower label.
pub(super) fn most_probable(probabilities: &HostTensor, names: &[String], top: usize) -> Vec<Vec<Class>> {
    let classes = probabilities.shape.last().copied().unwrap_or(1).max(1);
    let rows = probabilities.as_f32().unwrap_or_default().chunks(classes);
    let best = |row: &[f32]| {
        let mut labels: Vec<usize> = (0..row.len()).collect();
        labels.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
        let class = |label: usize| Class {
            label,
            name: names.get(label).cloned().unwrap_or_else(|| label.to_string()),
            probability: row[label],
        };
        labels.into_iter().take(top).map(class).collect()
    };
    rows.map(best).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(logits: &[f32]) -> Vec<f32> {
        let tensor = HostTensor::f32([1, logits.len()], logits.to_vec()).expect("it has a shape");
        probabilities(tensor).expect("these are logits").as_f32().expect("they are floats").to_vec()
    }

    #[test]
    fn probabilities_add_up_to_one() {
        assert_eq!(of(&[0.0, 0.0]), [0.5, 0.5]);
        assert_eq!(of(&[1000.0, 1000.0 + 3f32.ln(), f32::NEG_INFINITY]).map_rounded(), [0.25, 0.75, 0.0]);
    }

    trait Rounded {
        fn map_rounded(&self) -> Vec<f32>;
    }

    impl Rounded for Vec<f32> {
        fn map_rounded(&self) -> Vec<f32> {
            self.iter().map(|x| (x * 1e4).round() / 1e4).collect()
        }
    }

    /// PyTorch's softmax of such rows is NaN.
    #[test]
    fn what_is_not_a_number_stays_so() {
        for logits in [[0.0, f32::NAN], [0.0, f32::INFINITY], [f32::NEG_INFINITY; 2]] {
            assert!(of(&logits).iter().any(|x| x.is_nan()), "{logits:?}");
        }
    }

    #[test]
    fn the_most_probable_come_first() {
        let rows = HostTensor::f32([2, 3], vec![0.2, 0.5, 0.3, 0.4, 0.2, 0.4]).expect("it has a shape");
        let names = ["a", "b"].map(String::from);
        let found = most_probable(&rows, &names, 2);
        let short = |class: &Class| (class.label, class.name.clone());
        let found: Vec<Vec<_>> = found.iter().map(|row| row.iter().map(short).collect()).collect();
        assert_eq!(found[0], [(1, "b".to_owned()), (2, "2".to_owned())]);
        assert_eq!(found[1], [(0, "a".to_owned()), (2, "2".to_owned())]);
    }
}
