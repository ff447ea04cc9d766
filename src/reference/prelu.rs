//! PReLU and its gradients.

use crate::op::{Array, Reference};
use crate::ops::prelu::{PRelu, PReluGrad, PReluGradWeight};

/// `x` above 0, else the channel's weight times `x`.
impl Reference for PRelu {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let x = inputs[0];
        vec![each(x, inputs[1], |i, weight| if x.data[i] > 0.0 { x.data[i] } else { weight * x.data[i] })]
    }
}

/// `dy` above 0, else the channel's weight times `dy`.
impl Reference for PReluGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, weight, dy] = [inputs[0], inputs[1], inputs[2]];
        vec![each(x, weight, |i, weight| if x.data[i] > 0.0 { dy.data[i] } else { weight * dy.data[i] })]
    }
}

/// 0 above 0, else `dy * x`.
impl Reference for PReluGradWeight {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].zip(inputs[1], |x, dy| if x > 0.0 { 0.0 } else { x * dy })]
    }
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
