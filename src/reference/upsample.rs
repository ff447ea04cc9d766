//! Resampling of images, output by output.

use crate::op::{Array, Reference};
use crate::ops::upsample::{Interpolation, Upsample, Upsample2d, Upsample2dGrad};
use crate::tensor::Shape;

/// An image of another size.
impl Reference for Upsample2d {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Upsample2d(upsample) = self;
        let x = inputs[0];
        let [h, w] = upsample.output_size([x.shape[2], x.shape[3]]).expect("the shape rule has passed");
        let mut output = Array::zeros([x.shape[0], x.shape[1], h, w]);
        let parts = parts(&x.shape, &output.shape, upsample);
        for (y, parts) in output.data.iter_mut().zip(parts) {
            *y = parts.iter().map(|&(i, weight)| weight * x.data[i]).sum();
        }
        vec![output]
    }
}

/// Gives each output's gradient to the elements that it is made of.
impl Reference for Upsample2dGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Upsample2dGrad { upsample, input } = self;
        let gradient = inputs[0];
        let mut result = Array::zeros(input.clone());
        for (g, parts) in gradient.data.iter().zip(parts(input, &gradient.shape, upsample)) {
            for (i, weight) in parts {
                result.data[i] += weight * g;
            }
        }
        vec![result]
    }

    fn largest_sum_of_terms(&self, _output: usize, inputs: &[&Array]) -> Option<f64> {
        Some(self.reference(&[&inputs[0].map(f64::abs)])[0].largest())
    }
}

/// The input elements that each output is made of, with their weights.
fn parts(input: &Shape, output: &Shape, upsample: &Upsample) -> Vec<Vec<(usize, f64)>> {
    let [rows, columns] = [0, 1].map(|d| {
        let size = input[2 + d];
        let step = upsample.step(d, size, output[2 + d]);
        (0..output[2 + d]).map(|at| along(at, size, step, upsample.interpolation)).collect::<Vec<_>>()
    });
    let mut parts = Vec::new();
    for plane in 0..input[0] * input[1] {
        for row in &rows {
            for column in &columns {
                let mut each = Vec::new();
                for (y, down) in row {
                    for (x, right) in column {
                        each.push(((plane * input[2] + y) * input[3] + x, down * right));
                    }
                }
                parts.push(each);
            }
        }
    }
    parts
}

/// The elements that output `at` is made of along one dimension, with their weights.
fn along(at: usize, size: usize, step: f32, interpolation: Interpolation) -> Vec<(usize, f64)> {
    // PyTorch's rule is in f32: another rounding may choose another element, or give one no weight.
    let position = match interpolation {
        Interpolation::Nearest => return vec![(((at as f32 * step).floor() as usize).min(size - 1), 1.0)],
        Interpolation::Bilinear { align_corners: true } => at as f32 * step,
        Interpolation::Bilinear { align_corners: false } => ((at as f32 + 0.5) * step - 0.5).max(0.0),
    };
    let position = f64::from(position);
    let low = (position.floor() as usize).min(size - 1);
    // If the size stays the same, each element is copied, whatever its neighbours are.
    if step == 1.0 {
        return vec![(low, 1.0)];
    }
    let behind = (position - low as f64).clamp(0.0, 1.0);
    vec![(low, 1.0 - behind), ((low + 1).min(size - 1), behind)]
}
