//! Layers without parameters: activations, dropout, flattening.

use super::Layer;
use crate::error::{Error, Result};
use crate::graph::{Graph, Mode, Value};

macro_rules! activation {
    ($(#[$doc:meta])* $name:ident, $method:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name;

        impl Layer for $name {
            fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
                g.$method(x)
            }
        }
    };
}

activation!(
    /// max(x, 0), of any shape.
    Relu,
    relu
);
activation!(
    /// 1 / (1 + exp(-x)), of any shape.
    Sigmoid,
    sigmoid
);
activation!(
    /// tanh(x), of any shape.
    Tanh,
    tanh
);
activation!(
    /// \[n, ...] to \[n, the product of the rest], at no cost.
    Flatten,
    flatten
);

/// In training sets elements to zero with a given probability and divides the others by the
/// probability of keeping them; in evaluation does nothing.
#[derive(Clone, PartialEq, Debug)]
pub struct Dropout {
    probability: f32,
    seed: u64,
}

impl Dropout {
    /// Dropout that sets each element to zero with this probability, PyTorch's `p`.
    pub fn new(probability: f32) -> Self {
        Dropout { probability, seed: 0 }
    }

    /// What the random bits go by, besides the step and the node.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl Layer for Dropout {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        // Keeping nothing would divide by zero.
        if !(0.0..1.0).contains(&self.probability) {
            return Err(Error::Setting {
                setting: "dropout",
                message: format!("found {}, expected at least 0 and less than 1", self.probability),
            });
        }
        g.dropout(x, 1.0 - self.probability, self.seed, mode)
    }
}
