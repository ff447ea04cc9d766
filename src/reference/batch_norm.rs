//! Batch normalisation, channel by channel.

use super::pool2d;
use crate::op::{Array, Reference};
use crate::ops::batch_norm::{
    BatchCount, BatchNormEval, BatchNormEvalGrad, BatchNormEvalGradInput, BatchNormGrad, BatchNormMaxPool,
    BatchNormMaxPoolGrad, BatchNormTrain, pooled_taps,
};
use crate::ops::pool2d::Pool2d;

/// y; each channel's first element, the mean less that, one over the standard deviation, and that times
/// the weight; if tracked, the new running mean and variance.
impl Reference for BatchNormTrain {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let x = inputs[0];
        let (weight, bias, running) = parameters(&inputs[1..], self.affine, x.shape[1]);
        let channels = x.shape[1];
        let eps = f64::from(self.norm.eps);
        let mut y = Array::zeros(x.shape.clone());
        let mut statistics = Array::zeros([channels, 4]);
        let mut new: Vec<Array> = running.iter().take(2).map(|&old| old.clone()).collect();
        for c in 0..channels {
            let n = count(x);
            let mean = members(x, c).map(|i| x.data[i]).sum::<f64>() / n;
            let deviations = members(x, c).map(|i| (x.data[i] - mean).powi(2)).sum::<f64>();
            let inverse = 1.0 / (deviations / n + eps).sqrt();
            for i in members(x, c) {
                y.data[i] = (x.data[i] - mean) * inverse * weight.data[c] + bias.data[c];
            }
            let first = members(x, c).next().map_or(f64::NAN, |i| x.data[i]);
            statistics.data[4 * c..4 * c + 4].copy_from_slice(&[
                first,
                mean - first,
                inverse,
                inverse * weight.data[c],
            ]);
            if self.tracked {
                let share = self.norm.momentum.map_or_else(|| 1.0 / running[2].data[0], f64::from);
                for (new, now) in new.iter_mut().zip([mean, deviations / (n - 1.0)]) {
                    new.data[c] += share * (now - new.data[c]);
                }
            }
        }
        [y, statistics].into_iter().chain(new).collect()
    }

    // For the running mean, its terms. Behind a layer without bias and another batch norm they cancel.
    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        if !self.tracked || output != 2 {
            return None;
        }
        let x = inputs[0];
        let running = parameters(&inputs[1..], self.affine, x.shape[1]).2;
        let share = self.norm.momentum.map_or_else(|| 1.0 / running[2].data[0], f64::from);
        let sum = |c: usize| {
            let mean = members(x, c).map(|i| x.data[i].abs()).sum::<f64>() / count(x);
            share * mean + (1.0 - share) * running[0].data[c].abs()
        };
        Some((0..x.shape[1]).map(sum).filter(|sum| sum.is_finite()).fold(0.0, f64::max))
    }
}

/// Weight and bias, or ones and zeros if there are none, and the inputs behind them.
fn parameters<'i>(rest: &'i [&'i Array], affine: bool, channels: usize) -> (Array, Array, &'i [&'i Array]) {
    if affine {
        return (rest[0].clone(), rest[1].clone(), &rest[2..]);
    }
    (Array::new([channels], vec![1.0; channels]), Array::zeros([channels]), rest)
}

/// Gradients of x, weight and bias, by the chain rule through the mean and the variance; zero for a bias in front.
impl Reference for BatchNormGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, gradient, statistics] = [0, 1, 2].map(|i| inputs[i]);
        let channels = x.shape[1];
        let mut grad_x = Array::zeros(x.shape.clone());
        let (mut grad_weight, mut grad_bias) = (Array::zeros([channels]), Array::zeros([channels]));
        for c in 0..channels {
            let n = count(x);
            let [first, rest, inverse, scale] = [0, 1, 2, 3].map(|i| statistics.data[4 * c + i]);
            let (mean, weight) = (first + rest, scale / inverse);
            let (mut by_var, mut by_mean) = (0.0, 0.0);
            for i in members(x, c) {
                let centred = x.data[i] - mean;
                grad_weight.data[c] += gradient.data[i] * centred * inverse;
                grad_bias.data[c] += gradient.data[i];
                let by_normal = gradient.data[i] * weight;
                by_var += by_normal * centred * -0.5 * inverse.powi(3);
                by_mean -= by_normal * inverse;
            }
            for i in members(x, c) {
                let through_var = by_var * 2.0 * (x.data[i] - mean) / n;
                grad_x.data[i] = gradient.data[i] * weight * inverse + through_var + by_mean / n;
            }
        }
        let source_bias = self.source_bias.then(|| Array::zeros([channels]));
        [grad_x, grad_weight, grad_bias].into_iter().chain(source_bias).collect()
    }

    // For x, the output's gradient alone, before its mean and its part in x are subtracted. For weight and bias,
    // their sums.
    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        let at = |c: usize, i: usize| inputs[2].data[4 * c + i];
        let moments = |c: usize| (at(c, 0) + at(c, 1), 1.0 / at(c, 2));
        match output {
            0 => Some(largest_scaled(inputs[1], |c| at(c, 3))),
            1 | 2 => Some(largest_sums_of_terms(inputs[0], inputs[1], moments)[output - 1]),
            _ => None,
        }
    }
}

/// y by the running statistics.
impl Reference for BatchNormEval {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let x = inputs[0];
        let (weight, bias, running) = parameters(&inputs[1..], self.affine, x.shape[1]);
        let mut y = Array::zeros(x.shape.clone());
        for c in 0..x.shape[1] {
            let deviation = (running[1].data[c] + f64::from(self.norm.eps)).sqrt();
            for i in members(x, c) {
                y.data[i] = (x.data[i] - running[0].data[c]) / deviation * weight.data[c] + bias.data[c];
            }
        }
        vec![y]
    }
}

/// The gradient of x alone where the statistics are constants.
impl Reference for BatchNormEvalGradInput {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (gradient, var) = (inputs[0], inputs[inputs.len() - 1]);
        let mut grad_x = Array::zeros(gradient.shape.clone());
        for c in 0..gradient.shape[1] {
            let weight = if self.affine { inputs[1].data[c] } else { 1.0 };
            for i in members(gradient, c) {
                grad_x.data[i] = gradient.data[i] * weight / (var.data[c] + f64::from(self.norm.eps)).sqrt();
            }
        }
        vec![grad_x]
    }
}

/// Gradients of x, weight and bias where the statistics are constants.
impl Reference for BatchNormEvalGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, gradient, weight, running_mean, running_var] = [0, 1, 2, 3, 4].map(|i| inputs[i]);
        let channels = x.shape[1];
        let mut grad_x = Array::zeros(x.shape.clone());
        let (mut grad_weight, mut grad_bias) = (Array::zeros([channels]), Array::zeros([channels]));
        for c in 0..channels {
            let deviation = (running_var.data[c] + f64::from(self.0.eps)).sqrt();
            for i in members(x, c) {
                grad_x.data[i] = gradient.data[i] * weight.data[c] / deviation;
                grad_weight.data[c] += gradient.data[i] * (x.data[i] - running_mean.data[c]) / deviation;
                grad_bias.data[c] += gradient.data[i];
            }
        }
        vec![grad_x, grad_weight, grad_bias]
    }

    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        let deviation = |c: usize| (inputs[4].data[c] + f64::from(self.0.eps)).sqrt();
        let moments = |c: usize| (inputs[3].data[c], deviation(c));
        let sums = || largest_sums_of_terms(inputs[0], inputs[1], moments);
        (output > 0).then(|| sums()[output - 1])
    }
}

/// The largest sums of magnitudes behind the gradients of weight and bias, given each channel's mean and standard
/// deviation.
fn largest_sums_of_terms(x: &Array, gradient: &Array, moments: impl Fn(usize) -> (f64, f64)) -> [f64; 2] {
    let mut largest = [0.0f64; 2];
    for c in 0..x.shape[1] {
        let (mean, deviation) = moments(c);
        let mut sums = [0.0; 2];
        for i in members(x, c) {
            sums[0] += (gradient.data[i] * (x.data[i] - mean) / deviation).abs();
            sums[1] += gradient.data[i].abs();
        }
        largest = [0, 1].map(|i| largest[i].max(sums[i]));
    }
    largest
}

/// The largest magnitude after scaling each channel.
fn largest_scaled(gradient: &Array, scale: impl Fn(usize) -> f64) -> f64 {
    let of = |c: usize| members(gradient, c).map(move |i| (i, c));
    let scaled = (0..gradient.shape[1]).flat_map(of).map(|(i, c)| (gradient.data[i] * scale(c)).abs());
    scaled.fold(0.0, f64::max)
}

/// Flat indices of channel `c`, in order.
fn members(x: &Array, c: usize) -> impl Iterator<Item = usize> {
    let (images, channels) = (x.shape[0], x.shape[1]);
    let plane: usize = x.shape[2..].iter().product();
    (0..images).flat_map(move |n| {
        let first = (n * channels + c) * plane;
        first..first + plane
    })
}

/// Elements of a channel.
fn count(x: &Array) -> f64 {
    (x.data.len() / x.shape[1]) as f64
}

impl Reference for BatchNormMaxPool {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut outputs = self.norm.reference(inputs);
        if let Some(activation) = self.activation {
            outputs[0] = activation.reference(&[&outputs[0]]).swap_remove(0);
        }
        let (result, taps) = pool2d::max_pool2d(&outputs[0], &Pool2d::new([2, 2]).into());
        let windows = result.shape[2] * result.shape[3];
        let mut words = Array::zeros(pooled_taps(&inputs[0].shape).shape);
        let packed = taps.chunks(windows).flat_map(|plane| pool2d::pack_taps(plane, 4).data);
        words.data = packed.collect();
        outputs[0] = result;
        outputs.push(words);
        outputs
    }

    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        self.norm.largest_sum_of_terms(output, inputs)
    }
}

impl Reference for BatchNormMaxPoolGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        self.0.reference(&[inputs[0], &spread(inputs), inputs[2]])
    }

    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        self.0.largest_sum_of_terms(output, &[inputs[0], &spread(inputs), inputs[2]])
    }
}

impl Reference for BatchCount {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].map(|count| count + 1.0)]
    }
}

/// The gradient of pooling's input, at the taps that pooling chose. Inputs as for [`BatchNormMaxPoolGrad`].
fn spread(inputs: &[&Array]) -> Array {
    let [x, gradient, words] = [0, 1, 3].map(|i| inputs[i]);
    let windows = gradient.shape[2] * gradient.shape[3];
    let per_plane = windows.div_ceil(4);
    let taps: Vec<usize> = (0..x.shape[0] * x.shape[1])
        .flat_map(|plane| {
            let own = words.data[plane * per_plane..(plane + 1) * per_plane].to_vec();
            pool2d::unpack_taps(&Array::new([per_plane], own), windows, 4)
        })
        .collect();
    pool2d::max_pool2d_grad(gradient, &taps, &Pool2d::new([2, 2]).into(), &x.shape)
}
