//! Activation layers, and flattening. None has parameters, except PReLU.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Init, LayerId, Mode, Value};

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
    /// x between 0 and 6, of any shape.
    Relu6,
    relu6
);
activation!(
    /// The scaled exponential linear unit, of any shape: see [`Graph::selu`].
    Selu,
    selu
);
activation!(
    /// x Phi(x), of any shape, where Phi is the cumulative distribution function of the standard normal
    /// distribution.
    Gelu,
    gelu
);
activation!(
    /// PyTorch's `GELU(approximate='tanh')`, of any shape: see [`Graph::gelu_tanh`].
    GeluTanh,
    gelu_tanh
);
activation!(
    /// x / (1 + exp(-x)), of any shape.
    Silu,
    silu
);
activation!(
    /// x tanh(log(1 + exp(x))), of any shape.
    Mish,
    mish
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
    /// (x + 3) / 6 between 0 and 1, of any shape.
    HardSigmoid,
    hard_sigmoid
);
activation!(
    /// x times [`HardSigmoid`] of x, of any shape.
    HardSwish,
    hard_swish
);
activation!(
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

            $(
                $(#[$about])*
                #[must_use]
                pub fn $number(mut self, $number: f32) -> Self {
                    self.$number = $number;
                    self
                }
            )+
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

    /// Sets the number of slopes: 1, or as many as the input has channels.
    #[must_use]
    pub fn num_parameters(mut self, num_parameters: usize) -> Self {
        self.num_parameters = num_parameters;
        self
    }

    /// Sets the initial slope.
    #[must_use]
    pub fn init(mut self, init: f32) -> Self {
        self.init = init;
        self
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

macro_rules! along_an_axis {
    ($(#[$doc:meta])* $name:ident, $method:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name {
            axis: usize,
        }

        impl $name {
            /// Softmax along this axis, PyTorch's `dim`: 1 for classes.
            pub fn new(axis: usize) -> Self {
                $name { axis }
            }
        }

        impl Layer for $name {
            fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
                g.$method(x, self.axis)
            }
        }
    };
}

along_an_axis!(
    /// exp(x) divided by its sum along an axis, of any shape.
    Softmax,
    softmax
);
along_an_axis!(
    /// The logarithm of [`Softmax`], of any shape.
    LogSoftmax,
    log_softmax
);
