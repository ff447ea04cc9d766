//! Activation layers, and flattening. None has parameters, except PReLU.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Init, LayerId, Mode, Value};

operator_layer!(
    /// max(x, 0), of any shape.
    Relu,
    relu
);
operator_layer!(
    /// x between 0 and 6, of any shape.
    Relu6,
    relu6
);
operator_layer!(
    /// The scaled exponential linear unit, of any shape: see [`Graph::selu`].
    Selu,
    selu
);
operator_layer!(
    /// x Phi(x), of any shape, where Phi is the cumulative distribution function of the standard normal
    /// distribution.
    Gelu,
    gelu
);
operator_layer!(
    /// PyTorch's `GELU(approximate='tanh')`, of any shape: see [`Graph::gelu_tanh`].
    GeluTanh,
    gelu_tanh
);
operator_layer!(
    /// x / (1 + exp(-x)), of any shape.
    Silu,
    silu
);
operator_layer!(
    /// x tanh(log(1 + exp(x))), of any shape.
    Mish,
    mish
);
operator_layer!(
    /// 1 / (1 + exp(-x)), of any shape.
    Sigmoid,
    sigmoid
);
operator_layer!(
    /// tanh(x), of any shape.
    Tanh,
    tanh
);
operator_layer!(
    /// (x + 3) / 6 between 0 and 1, of any shape.
    HardSigmoid,
    hard_sigmoid
);
operator_layer!(
    /// x times [`HardSigmoid`] of x, of any shape.
    HardSwish,
    hard_swish
);
operator_layer!(
    /// \[n, ...] to \[n, the product of the rest], at no cost.
    Flatten,
    flatten
);

/// An activation with settings, under PyTorch's names and with its defaults.
macro_rules! activation_of {
    ($(#[$doc:meta])* $name:ident, $method:ident, $($(#[$about:meta])* $number:ident = $default:literal),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub struct $name {
            $($number: f32,)+
        }

        impl $name {
            /// PyTorch's defaults.
            pub fn new() -> Self {
                $name { $($number: $default,)+ }
            }

            setters! {
                $($(#[$about])* $number: f32;)+
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name::new()
            }
        }

        impl Layer for $name {
            fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
                g.$method(x, $(self.$number),+)
            }
        }
    };
}

activation_of!(
    /// x above 0, else a slope times x, of any shape.
    LeakyRelu,
    leaky_relu,
    /// The slope at and below 0; 0.01 by default.
    negative_slope = 0.01
);
activation_of!(
    /// x above 0, else alpha (exp(x) - 1), of any shape.
    Elu,
    elu,
    /// The output far below 0 approaches minus this; 1 by default.
    alpha = 1.0
);
activation_of!(
    /// log(1 + exp(beta x)) / beta, of any shape.
    Softplus,
    softplus,
    /// Sharpness of the bend; not zero, 1 by default.
    beta = 1.0,
    /// Where beta x is above this the output is x; 20 by default.
    threshold = 20.0
);
activation_of!(
    /// x between two bounds, of any shape.
    HardTanh,
    hard_tanh,
    /// The least value; -1 by default.
    min_val = -1.0,
    /// The largest value; 1 by default.
    max_val = 1.0
);

/// x above 0, else a trained slope times x: \[n, c, ...] to the same. The parameter is `weight`.
#[derive(Clone, PartialEq, Debug)]
pub struct PRelu {
    num_parameters: usize,
    init: f32,
    id: LayerId,
}

impl PRelu {
    /// One slope for all channels, initially 0.25.
    pub fn new() -> Self {
        PRelu { num_parameters: 1, init: 0.25, id: LayerId::new() }
    }

    setters! {
        /// Sets the number of slopes: 1, or as many as the input has channels.
        num_parameters: usize;
        /// Sets the initial slope.
        init: f32;
    }
}

impl Default for PRelu {
    fn default() -> Self {
        PRelu::new()
    }
}

impl Layer for PRelu {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        g.layer(&self.id, |g| {
            let weight = g.parameter("weight", [self.num_parameters], Init::Constant(self.init))?;
            g.prelu(x, weight)
        })
    }
}

operator_layer!(
    /// exp(x) divided by its sum along an axis, of any shape.
    Softmax,
    softmax,
    /// Softmax along this axis, PyTorch's `dim`: 1 for classes.
    axis: usize
);
operator_layer!(
    /// The logarithm of [`Softmax`], of any shape.
    LogSoftmax,
    log_softmax,
    /// Softmax along this axis, PyTorch's `dim`: 1 for classes.
    axis: usize
);
