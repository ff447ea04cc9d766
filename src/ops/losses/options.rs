//! What can be set of each loss, with PyTorch's names and defaults.

use crate::graph::Value;
use crate::ops::loss::ElementReduction;

/// What becomes of the single losses, as PyTorch's argument of this name says it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Reduction {
    /// Their mean (of class labels: weighted).
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Each stays.
    None,
}

/// A struct of options: PyTorch's defaults, and a setter of each field's name.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of_field:meta])* $field:ident: $type:ty, $argument:ty = $default:expr,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub struct $name {
            $(pub(super) $field: $type,)*
            pub(super) reduction: Reduction,
        }

        impl $name {
            /// PyTorch's defaults.
            pub fn new() -> Self {
                $name { $($field: $default,)* reduction: Reduction::Mean }
            }

            /// Sets what becomes of the single losses: their mean by default.
            #[must_use]
            pub fn reduction(mut self, reduction: Reduction) -> Self {
                self.reduction = reduction;
                self
            }

            $(
                $(#[$of_field])*
                #[must_use]
                pub fn $field(mut self, $field: $argument) -> Self {
                    self.$field = $field.into();
                    self
                }
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                $name::new()
            }
        }
    )*};
}

options! {
    /// Options of [`Graph::cross_entropy_with`](crate::Graph::cross_entropy_with).
    CrossEntropyOptions {
        /// Sets the weight of each class, f32 `(classes)`, which is not trained; none by default.
        weight: Option<Value>, impl Into<Option<Value>> = None,
        /// Sets the label of rows that take no part, -100 by default.
        ignore_index: i32, i32 = -100,
        /// Sets the part of the target that is spread over all classes, from 0 to 1; 0 by default.
        label_smoothing: f32, f32 = 0.0,
    }

    /// Options of [`Graph::nll_loss_with`](crate::Graph::nll_loss_with).
    NllOptions {
        /// Sets the weight of each class, f32 `(classes)`, which is not trained; none by default.
        weight: Option<Value>, impl Into<Option<Value>> = None,
        /// Sets the label of rows that take no part, -100 by default.
        ignore_index: i32, i32 = -100,
    }

    /// Options of [`Graph::mse_loss_with`](crate::Graph::mse_loss_with).
    MseOptions {}

    /// Options of [`Graph::l1_loss_with`](crate::Graph::l1_loss_with).
    L1Options {}

    /// Options of [`Graph::smooth_l1_loss_with`](crate::Graph::smooth_l1_loss_with).
    SmoothL1Options {
        /// Sets the difference from which on the loss is straight, 1 by default; with 0 it is the absolute
        /// difference.
        beta: f32, f32 = 1.0,
    }

    /// Options of [`Graph::huber_loss_with`](crate::Graph::huber_loss_with).
    HuberOptions {
        /// Sets the difference from which on the loss is straight, above 0; 1 by default.
        delta: f32, f32 = 1.0,
    }

    /// Options of [`Graph::bce_with_logits_loss_with`](crate::Graph::bce_with_logits_loss_with).
    BceWithLogitsOptions {
        /// Sets how many times positive targets count: one number, or one for each of a run of dimensions, such as
        /// the last one. It is not trained. None by default.
        pos_weight: Option<Value>, impl Into<Option<Value>> = None,
    }

    /// Options of [`Graph::cosine_embedding_loss_with`](crate::Graph::cosine_embedding_loss_with).
    CosineEmbeddingOptions {
        /// Sets the cosine up to which unlike rows cost nothing, 0 by default.
        margin: f32, f32 = 0.0,
    }

    /// Options of [`Graph::triplet_margin_loss_with`](crate::Graph::triplet_margin_loss_with).
    TripletMarginOptions {
        /// Sets by how much negative rows have to be further away than positive ones, above 0; 1 by default.
        margin: f32, f32 = 1.0,
        /// Sets which norm is the distance, above 0; 2, Euclid's, by default.
        p: f32, f32 = 2.0,
        /// Sets what is added to each difference, 1e-6 by default.
        eps: f32, f32 = 1e-6,
        /// Sets whether the distance of positive and negative counts where it is the smaller one; it does not by
        /// default.
        swap: bool, bool = false,
    }
}

/// Options of [`Graph::kl_div_loss_with`](crate::Graph::kl_div_loss_with).
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct KlDivOptions {
    pub(super) log_target: bool,
    pub(super) reduction: ElementReduction,
}

impl KlDivOptions {
    /// PyTorch's defaults.
    pub fn new() -> Self {
        KlDivOptions::default()
    }

    /// Sets whether targets are logarithms of probabilities; they are probabilities by default.
    #[must_use]
    pub fn log_target(mut self, log_target: bool) -> Self {
        self.log_target = log_target;
        self
    }

    /// Sets what becomes of the single losses: their mean over all elements by default.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction.into();
        self
    }

    /// Divides the sum of the losses by the first dimension's size, which gives the divergence itself: PyTorch's
    /// reduction `batchmean`.
    #[must_use]
    pub fn batch_mean(mut self) -> Self {
        self.reduction = ElementReduction::BatchMean;
        self
    }
}
