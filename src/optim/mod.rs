//! Optimizers with PyTorch's names, defaults and arithmetic: stochastic gradient descent, Adam, AdamW,
//! NAdam, RMSprop, Adagrad, Adadelta, Muon; and Lion and Lookahead.
//!
//! An optimizer appends nodes to the graph: the gradients of the loss, and one update of all parameters in
//! place. Every plan of the graph runs the update at the end of its step. The learning rate is an input of
//! the graph, so it changes without rebuilding; a [`Schedule`] computes it for each step.
//!
//! State is named after its parameter. [`Session::save_checkpoint`](crate::Session::save_checkpoint) saves
//! it, together with the step number.
//!
//! [`Optimizer`] has the settings that all rules share: clipping, groups of parameters with settings of their
//! own, freezing, accumulation over several steps, averages of the parameters, scaling of the loss. [`Muon`], whose steps are no rule of one
//! element, has a choice of parameters. None of them reads anything back. The rules' arithmetic is in [`ops::optimizer`](crate::ops::optimizer).

mod described;
mod ema;
mod gradients;
mod lookahead;
mod muon;
mod optimizer;
mod rules;
mod scale;
mod schedule;

pub use ema::Ema;
pub use lookahead::Lookahead;
pub use muon::{Muon, RateAdjustment};
pub use optimizer::{Optimizer, Part, Whole};
pub use rules::{Adadelta, Adagrad, Adam, AdamW, Lion, Nadam, Rmsprop, Sgd};
pub use scale::LossScale;
pub use schedule::{Annealing, OneCycle, Plateau, PlateauOptions, Preferred, Schedule};
