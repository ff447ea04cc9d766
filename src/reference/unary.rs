//! Functions of one tensor and their gradients.

use super::Array;
use crate::ops::unary::Unary;

/// `f(x)` of every element.
pub fn unary(function: Unary, x: &Array) -> Array {
    x.map(|x| match function {
        Unary::Relu => x.max(0.0),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Tanh => x.tanh(),
        Unary::Scale { factor } => f64::from(factor) * x,
        Unary::Shift { amount } => x + f64::from(amount),
    })
}

/// `dy` times the slope where the output is `y`.
pub fn unary_grad(function: Unary, y: &Array, dy: &Array) -> Array {
    y.zip(dy, |y, dy| match function {
        Unary::Relu => {
            if y > 0.0 {
                dy
            } else {
                0.0
            }
        }
        Unary::Sigmoid => dy * y * (1.0 - y),
        Unary::Tanh => dy * (1.0 - y * y),
        Unary::Scale { .. } | Unary::Shift { .. } => {
            unreachable!("linear functions have no gradient operator")
        }
    })
}
