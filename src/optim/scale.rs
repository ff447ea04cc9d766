//! Dynamic scaling of the loss.

use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Value};
use crate::ops::optimizer::Scaling;

/// Dynamic loss scaling (Micikevicius et al., 2018, "Mixed Precision Training"), as PyTorch's `GradScaler`: gradients are
/// those of the loss times a scale, so that f16 keeps small ones, and the update divides them by it. If one of them is not
/// finite, the step changes nothing and the scale is halved, down to 1. After so many updates without that it is doubled.
/// All of it happens on the device. In plans of mixed precision the gradients that the update takes are f16.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::nn::{self, Layer};
/// use wgrad::op::AdapterKind;
/// use wgrad::optim::{LossScale, Sgd};
/// use wgrad::plan::Precision;
/// use wgrad::{Caps, Graph, Mode, Plan, PlanOptions};
///
/// let mut g = Graph::new();
/// let images = g.input("images", [32, 1, 28, 28])?;
/// let labels = g.input_i32("labels", 32)?;
/// let logits = nn::models::lenet5(1, 10).forward(&mut g, images, Mode::Train)?;
/// let loss = g.cross_entropy(logits, labels)?;
/// let rate = g.input_scalar("learning_rate")?;
/// Sgd::new(rate).momentum(0.9).loss_scale(LossScale::new()).minimize(&mut g, loss)?;
///
/// let caps = Caps { f16: true, ..Caps::webgpu_defaults(AdapterKind::Discrete) };
/// let plan = Plan::with_options(&g, &[loss], &caps, &PlanOptions::default().precision(Precision::Mixed))?;
/// # Ok(())
/// # }
/// ```
///
/// The scale is state of the graph, `loss_scale`, and so is the number of updates since it changed,
/// `loss_scale.good_steps`; checkpoints hold both. A step that changes nothing counts as a step, for schedules and for the
/// bias corrections of Adam. The numerics watch leaves out the gradients, which may overflow.
#[derive(Clone, Copy, PartialEq, Debug)]
#[must_use = "it does nothing until an optimizer has it"]
pub struct LossScale {
    first: f32,
    growth_interval: u32,
}

/// Name of the scale.
const NAME: &str = "loss_scale";

impl Default for LossScale {
    fn default() -> Self {
        LossScale { first: 65536.0, growth_interval: 2000 }
    }
}

impl LossScale {
    /// PyTorch's defaults: a first scale of 65,536, and 2000 updates until it grows.
    pub fn new() -> Self {
        LossScale::default()
    }

    setters! {
        /// Sets the first scale, 65,536 by default.
        first: f32;
        /// Sets the number of updates without an overflow after which the scale is doubled, 2000 by default.
        growth_interval: u32;
    }

    pub(super) fn check(self) -> Result<()> {
        let passes = self.first >= 1.0 && self.first.is_finite();
        if !passes {
            let message = format!("must be at least 1 and finite, found {}", self.first);
            return Err(Error::Setting { setting: "loss_scale", message });
        }
        self.scaling().check()
    }

    pub(super) fn scaling(self) -> Scaling {
        Scaling { growth_interval: self.growth_interval }
    }

    /// Declares the scale, of the shape of `loss`, and the number of updates since it changed.
    pub(super) fn declare(self, graph: &mut Graph, loss: Value) -> Result<[Value; 2]> {
        let shape = graph.shape(loss)?.clone();
        if graph.find(NAME).is_some() {
            let message = "another optimizer of this graph scales its loss, and there is one scale; give each a graph of its own, with shared weights (Weights::init_all)";
            return Err(Error::Setting { setting: "loss_scale", message: message.into() });
        }
        graph.unscoped(|graph| {
            Ok([
                graph.state(NAME, shape.clone(), Init::Constant(self.first), false)?,
                graph.state(&format!("{NAME}.good_steps"), shape, Init::Constant(0.0), false)?,
            ])
        })
    }
}
