//! Optimizer updates, tensor by tensor, as PyTorch's documentation states them.

use super::Array;
use crate::ops::optimizer::{AdamUpdate, Clip, SgdUpdate};

/// The gradients as an update uses them: by value first, then by the norm of all of them.
fn clipped(clip: Clip, gradients: &[&Array]) -> Vec<Array> {
    let by_value = |g: f64| clip.value.map_or(g, |limit| g.clamp(-limit, limit));
    let gradients: Vec<Array> = gradients.iter().map(|g| g.map(by_value)).collect();
    let Some(limit) = clip.norm else { return gradients };
    let squares: f64 = gradients.iter().flat_map(|g| &g.data).map(|g| g * g).sum();
    let scale = (limit / (squares.sqrt() + 1e-6)).min(1.0);
    gradients.iter().map(|gradient| gradient.map(|g| g * scale)).collect()
}

/// New parameters, then new momentum buffers.
pub fn sgd(update: &SgdUpdate, inputs: &[&Array]) -> Vec<Array> {
    let count = update.parameters;
    let gradients = clipped(update.clip, &inputs[count..2 * count]);
    let (mut parameters, mut momenta) = (Vec::new(), Vec::new());
    for i in 0..count {
        let (mut parameter, gradient) = (inputs[i].clone(), &gradients[i]);
        let direction = gradient.zip(&parameter, |g, p| g + update.weight_decay * p);
        let mut taken = direction.clone();
        let mut rate = inputs[2 * count];
        if update.momentum != 0.0 {
            rate = inputs[3 * count];
            let first = inputs[3 * count + 1].data[0] == 0.0;
            let share = if first { 1.0 } else { 1.0 - update.dampening };
            let buffer = inputs[2 * count + i].zip(&direction, |b, d| update.momentum * b + share * d);
            taken = if update.nesterov {
                direction.zip(&buffer, |d, b| d + update.momentum * b)
            } else {
                buffer.clone()
            };
            momenta.push(buffer);
        }
        parameter = parameter.zip(&taken, |p, d| p - rate.data[0] * d);
        parameters.push(parameter);
    }
    parameters.extend(momenta);
    parameters
}

/// New parameters, then new means of gradients, then of their squares.
pub fn adam(update: &AdamUpdate, inputs: &[&Array]) -> Vec<Array> {
    let count = update.parameters;
    let rate = inputs[4 * count].data[0];
    let step = inputs[4 * count + 1].data[0] + 1.0;
    let gradients = clipped(update.clip, &inputs[count..2 * count]);
    let (mut parameters, mut means, mut squares) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..count {
        let (mut parameter, mut gradient) = (inputs[i].clone(), gradients[i].clone());
        if update.decoupled {
            parameter = parameter.map(|p| p * (1.0 - rate * update.weight_decay));
        } else {
            gradient = gradient.zip(&parameter, |g, p| g + update.weight_decay * p);
        }
        let mean = inputs[2 * count + i].zip(&gradient, |m, g| update.beta1 * m + (1.0 - update.beta1) * g);
        let square =
            inputs[3 * count + i].zip(&gradient, |v, g| update.beta2 * v + (1.0 - update.beta2) * g * g);
        let first = 1.0 - update.beta1.powf(step);
        let second = 1.0 - update.beta2.powf(step);
        let change = mean.zip(&square, |m, v| m / first / ((v / second).sqrt() + update.eps));
        parameters.push(parameter.zip(&change, |p, c| p - rate * c));
        means.push(mean);
        squares.push(square);
    }
    parameters.extend(means);
    parameters.extend(squares);
    parameters
}
