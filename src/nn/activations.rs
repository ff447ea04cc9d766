//! Layers without parameters: activations, pooling, dropout, flattening.

use super::Layer;
use crate::error::{Error, Result};
use crate::graph::{Graph, Mode, Value};
use crate::ops::pool2d::Pool2d;

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

macro_rules! pooling {
    ($(#[$doc:meta])* $name:ident, $method:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name(Pool2d);

        impl $name {
            /// Windows of this height and width, side by side, without padding.
            pub fn new(kernel: [usize; 2]) -> Self {
                $name(Pool2d::new(kernel))
            }

            /// With all of the operator's attributes.
            pub fn with(attributes: Pool2d) -> Self {
                $name(attributes)
            }

            /// Steps between windows, down and across; as far as a window is wide by default.
            #[must_use]
            pub fn stride(self, stride: [usize; 2]) -> Self {
                $name(self.0.stride(stride))
            }

            /// Rows above and below, columns left and right, that windows may reach into.
            #[must_use]
            pub fn padding(self, padding: [usize; 2]) -> Self {
                $name(self.0.padding(padding))
            }
        }

        impl Layer for $name {
            fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
                g.$method(x, self.0)
            }
        }
    };
}

pooling!(
    /// The largest value of each window: \[n, c, h, w] to \[n, c, oh, ow].
    MaxPool2d,
    max_pool2d
);
pooling!(
    /// The mean of each window, padding counted as zeros by default: \[n, c, h, w] to \[n, c, oh, ow].
    AvgPool2d,
    avg_pool2d
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
