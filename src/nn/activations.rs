//! Layers without parameters: activations, flattening.

use super::Layer;
use crate::error::Result;
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
