//! Losses of float targets, element by element, and their gradients.

use crate::op::{Array, Reference};
use crate::ops::expand::Expand;
use crate::ops::loss::{ElementLoss, ElementReduction, Loss, LossGrad};
use crate::tensor::Shape;

/// The loss of predictions, targets and perhaps a weight.
impl Reference for Loss {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let weight = inputs.get(2).map(|weight| stretched_to(weight, &inputs[0].shape));
        let each = |i: usize| {
            let (x, t) = (inputs[0].data[i], inputs[1].data[i]);
            match self.element {
                ElementLoss::Mse => (x - t).powi(2),
                ElementLoss::L1 => (x - t).abs(),
                ElementLoss::SmoothL1 { beta } => {
                    let (d, beta) = ((x - t).abs(), f64::from(beta));
                    if d < beta { d * d / (2.0 * beta) } else { d - beta / 2.0 }
                }
                ElementLoss::Huber { delta } => {
                    let (d, delta) = ((x - t).abs(), f64::from(delta));
                    if d <= delta { d * d / 2.0 } else { delta * (d - delta / 2.0) }
                }
                ElementLoss::BceWithLogits => {
                    let positive = weight.as_ref().map_or(1.0, |w| 1.0 + (w.data[i] - 1.0) * t);
                    (1.0 - t) * x + positive * softplus(-x)
                }
                ElementLoss::KlDiv if t == 0.0 => -t * x,
                ElementLoss::KlDiv => t * t.ln() - t * x,
                ElementLoss::KlDivOfLogarithms => t.exp() * (t - x),
            }
        };
        let losses: Vec<f64> = (0..inputs[0].data.len()).map(each).collect();
        match self.reduction {
            ElementReduction::None => vec![Array::new(inputs[0].shape.clone(), losses)],
            _ => {
                let sum = losses.iter().sum::<f64>() * scale(self, inputs[0]);
                vec![Array::new(Shape::scalar(), vec![sum])]
            }
        }
    }

    // A divergence's single terms cancel where the distributions agree. No other loss has terms of both signs.
    fn largest_sum_of_terms(&self, _output: usize, inputs: &[&Array]) -> Option<f64> {
        let each = inputs[0].zip(inputs[1], |x, t| match self.element {
            ElementLoss::KlDiv if t > 0.0 => t * (t.ln().abs() + x.abs()),
            ElementLoss::KlDivOfLogarithms => t.exp() * (t.abs() + x.abs()),
            _ => 0.0,
        });
        let divergence = matches!(self.element, ElementLoss::KlDiv | ElementLoss::KlDivOfLogarithms);
        divergence.then(|| match self.reduction {
            ElementReduction::None => each.largest(),
            _ => each.data.iter().sum::<f64>() * scale(self, inputs[0]),
        })
    }
}

/// The gradient by predictions or targets; the last input is the loss's gradient.
impl Reference for LossGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (upstream, compared) = inputs.split_last().expect("a loss has inputs");
        let shape = &compared[0].shape;
        let upstream = stretched_to(upstream, shape);
        let weight = compared.get(2).map(|weight| stretched_to(weight, shape));
        let scale = scale(&self.forward, compared[0]);
        let each = |i: usize| {
            let (x, t) = (compared[0].data[i], compared[1].data[i]);
            let d = if self.by_target { t - x } else { x - t };
            let upstream = upstream.data[i] * scale;
            let slope = match self.forward.element {
                ElementLoss::Mse => 2.0 * d,
                ElementLoss::L1 => sign(d),
                ElementLoss::SmoothL1 { beta } if d.is_nan() && beta > 0.0 => f64::NAN,
                ElementLoss::SmoothL1 { beta } if d.abs() < f64::from(beta) => d / f64::from(beta),
                ElementLoss::SmoothL1 { .. } => sign(d),
                ElementLoss::Huber { delta } => d.clamp(-f64::from(delta), f64::from(delta)),
                ElementLoss::BceWithLogits => {
                    let weight = weight.as_ref().map(|w| w.data[i]);
                    if self.by_target {
                        weight.map_or(0.0, |weight| (weight - 1.0) * softplus(-x)) - x
                    } else {
                        let weight = weight.unwrap_or(1.0);
                        (1.0 - t) * sigmoid(x) - weight * t * sigmoid(-x)
                    }
                }
                ElementLoss::KlDiv if self.by_target && t == 0.0 && x.is_finite() => 0.0,
                ElementLoss::KlDiv if self.by_target && t == 0.0 => f64::NAN,
                // Each term alone, because the products may be infinities of both signs. No logarithm's term where no
                // gradient arrives.
                ElementLoss::KlDiv if self.by_target => {
                    let by_logarithm = if upstream == 0.0 { 0.0 } else { t.ln() * upstream };
                    let by_factor = if t.is_finite() { upstream } else { f64::NAN };
                    return by_logarithm + by_factor - x * upstream;
                }
                ElementLoss::KlDiv => -t,
                ElementLoss::KlDivOfLogarithms if self.by_target => {
                    return t.exp() * (t - x) * upstream + t.exp() * upstream;
                }
                ElementLoss::KlDivOfLogarithms => -t.exp(),
            };
            slope * upstream
        };
        vec![Array::new(shape.clone(), (0..compared[0].data.len()).map(each).collect())]
    }
}

/// `x` broadcast to `shape`.
fn stretched_to(x: &Array, shape: &Shape) -> Array {
    Expand { shape: shape.clone() }.reference(&[x]).swap_remove(0)
}

fn scale(loss: &Loss, predictions: &Array) -> f64 {
    match loss.reduction {
        ElementReduction::Mean => 1.0 / predictions.data.len() as f64,
        ElementReduction::BatchMean => 1.0 / predictions.shape.first().copied().unwrap_or(1) as f64,
        ElementReduction::Sum | ElementReduction::None => 1.0,
    }
}

/// -1, 0 or 1, and 0 for NaN, as in PyTorch. `f64::signum` never returns 0.
fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// log(1 + exp(x))
fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}
