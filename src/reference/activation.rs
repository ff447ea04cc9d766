//! Activations and their gradients, which take the activation's output.

use super::Array;
use crate::ops::activation::Activation;

/// `f(x)` of every element.
pub fn activation(function: Activation, x: &Array) -> Array {
    x.map(|x| match function {
        Activation::Relu => x.max(0.0),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
    })
}

/// `dy` times the slope where the output is `y`.
pub fn activation_grad(function: Activation, y: &Array, dy: &Array) -> Array {
    y.zip(dy, |y, dy| match function {
        Activation::Relu => {
            if y > 0.0 {
                dy
            } else {
                0.0
            }
        }
        Activation::Sigmoid => dy * y * (1.0 - y),
        Activation::Tanh => dy * (1.0 - y * y),
    })
}
