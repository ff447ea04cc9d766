//! Dropout layers, which set random elements or channels to zero.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};

macro_rules! dropout {
    ($(#[$doc:meta])* $name:ident, $method:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name {
            p: f64,
            seed: u64,
        }

        impl $name {
            /// Sets each to zero with probability `p`, from 0 to 1; PyTorch's default is 0.5.
            pub fn new(p: f64) -> Self {
                $name { p, seed: 0 }
            }

            /// For a network's input or the output of convolutions: keeps each with probability 0.8, which
            /// Srivastava et al. ("Dropout", 2014, appendix A.4) name as typical for real-valued inputs.
            pub fn input() -> Self {
                $name::new(0.2)
            }

            /// For hidden units: keeps each with probability 0.5, the lowest that they name as typical.
            pub fn hidden() -> Self {
                $name::new(0.5)
            }

            /// Sets the seed of the random bits, which also depend on the step and the node.
            #[must_use]
            pub fn seed(mut self, seed: u64) -> Self {
                self.seed = seed;
                self
            }
        }

        impl Layer for $name {
            fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
                g.$method(x, self.p, self.seed, mode)
            }
        }
    };
}

dropout!(
    /// In training sets elements to zero with a given probability and divides the others by the
    /// probability of keeping them; in evaluation does nothing; with [`Mode::MonteCarlo`] as in training.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::{Graph, Mode, nn, nn::Layer};
    ///
    /// let drop = nn::Dropout::new(0.2).seed(1); // drops a fifth
    /// let mut g = Graph::new();
    /// let x = g.input("x", [32, 128])?;
    /// assert_ne!(drop.forward(&mut g, x, Mode::Train)?, x);
    /// assert_eq!(drop.forward(&mut g, x, Mode::Eval)?, x);
    /// # Ok(())
    /// # }
    /// ```
    Dropout,
    dropout
);
dropout!(
    /// [`Dropout`] of whole channels, each of each sample as one: input \[n, channels, h, w] or
    /// \[n, channels, length], PyTorch's `Dropout2d` and `Dropout1d`.
    Dropout2d,
    dropout2d
);
