//! Initial weights and biases of linear layers and convolutions.

use crate::graph::Init;

/// Setters of a layer with a weight and perhaps a bias. Its fields are `bias` and `initializers`.
macro_rules! initializer_setters {
    () => {
        setters! {
            /// Sets whether a bias is added. It is by default.
            bias: bool;
        }

        /// Sets the initial weight.
        #[must_use]
        pub fn init(mut self, init: Init) -> Self {
            self.initializers.weight = Some(init);
            self
        }

        /// Sets the initial bias.
        #[must_use]
        pub fn bias_init(mut self, init: Init) -> Self {
            self.initializers.bias = Some(init);
            self
        }
    };
}

/// Initial weight and bias of a layer, where the user set them.
#[derive(Clone, PartialEq, Default, Debug)]
pub(super) struct Initializers {
    pub weight: Option<Init>,
    pub bias: Option<Init>,
}

impl Initializers {
    /// Initial weight and bias, [`default_init`] where the user set nothing.
    pub(super) fn or_default(&self, fan_in: usize) -> (Init, Init) {
        let or_default = |init: &Option<Init>| init.clone().unwrap_or_else(|| default_init(fan_in));
        (or_default(&self.weight), or_default(&self.bias))
    }
}

/// PyTorch's default for weights and biases of convolutions and linear layers: uniform within
/// 1 / sqrt(fan_in), where fan_in is the number of inputs that one output sums over.
///
/// PyTorch writes the weight's as `kaiming_uniform_(a = sqrt(5))`: the bound is gain * sqrt(3 / fan_in) with
/// gain = sqrt(2 / (1 + a^2)) = sqrt(2 / 6) = sqrt(1 / 3), and sqrt(1 / 3) * sqrt(3 / fan_in) = 1 /
/// sqrt(fan_in). For the bias it writes that bound directly.
fn default_init(fan_in: usize) -> Init {
    // With fan_in 0 the weight has no elements, and the graph refuses it.
    Init::Uniform((1.0 / (fan_in.max(1) as f64).sqrt()) as f32)
}
