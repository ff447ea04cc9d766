//! PReLU and its gradients.

use crate::op::{Array, Reference};
use crate::ops::prelu::{PRelu, PReluGrad, PReluGradWeight};
/// `x` above 0, else the channel's weight times `x`.
pub fn prelu(x: &Array, weight: &Array) -> Array {
    each(x, weight, |i, weight| if x.data[i] > 0.0 { x.data[i] } else { weight * x.data[i] })
}

/// `dy` above 0, else the channel's weight times `dy`.
pub fn prelu_grad(x: &Array, weight: &Array, dy: &Array) -> Array {
    each(x, weight, |i, weight| if x.data[i] > 0.0 { dy.data[i] } else { weight * dy.data[i] })
}

/// 0 above 0, else `dy * x`.
pub fn prelu_grad_weight(x: &Array, dy: &Array) -> Array {
    x.zip(dy, |x, dy| if x > 0.0 { 0.0 } else { x * dy })
}

/// `f` of each element's number and weight.
fn each(x: &Array, weight: &Array, f: impl Fn(usize, f64) -> f64) -> Array {
    let mut result = Array::zeros(x.shape.clone());
    let plane: usize = x.shape.iter().skip(2).product();
    for (i, element) in result.data.iter_mut().enumerate() {
        *element = f(i, weight.data[i / plane % weight.data.len()]);
    }
    result
}

impl Reference for PRelu {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![prelu(inputs[0], inputs[1])]
    }
}

impl Reference for PReluGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![prelu_grad(inputs[0], inputs[1], inputs[2])]
    }
}

impl Reference for PReluGradWeight {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![prelu_grad_weight(inputs[0], inputs[1])]
    }
}
