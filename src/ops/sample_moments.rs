//! Mean and variance of a network's outputs over many steps, computed on the device: over draws of dropout, or over
//! all of its masks.
//!
//! The graph's part is here; `session/monte_carlo.rs` and `session/every_mask.rs` run the steps.

use super::pack::pack;
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Mask, Source, Value};
use crate::op::{LowerContext, Operator};
use crate::ops::checks;
use crate::shader::{Kernel, kernels};
use crate::tensor::{DType, Shape, TensorType};
use std::collections::HashSet;

/// The most units over whose masks a mean can be taken: 65,536 masks, as many steps.
const MOST_UNITS: usize = 16;

/// Adds one sample to the mean and the sum of squared deviations of each element. Inputs: x; the sample's weight; its
/// share of the weight of all samples so far, which is 1 for the first one; both moments so far, of x's shape. Outputs:
/// both, in place. The first sample replaces the old contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SampleMoments;

impl Operator for SampleMoments {
    fn name(&self) -> &'static str {
        "sample_moments"
    }

    fn arity(&self) -> (usize, usize) {
        (5, 5)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x, weight, share, mean, deviations] = inputs else {
            return Err(format!("expects 5 inputs, found {}", inputs.len()));
        };
        checks::f32_input(x)?;
        for scalar in [weight, share] {
            if **scalar != TensorType::f32(Shape::scalar()) {
                return Err(format!("expects weight and share, f32 scalars, found {scalar}"));
            }
        }
        if mean != x || deviations != x {
            return Err(format!(
                "expects mean and deviations like the input {x}, found {mean} and {deviations}"
            ));
        }
        Ok(vec![(*x).clone(); 2])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let elements = cx.input_type(0).shape.elements();
        let (width, pack) = pack(elements);
        let packs = elements / width;
        let kernel =
            Kernel::new(&kernels::sample_moments).fill(pack).with("PACKS", cx.index(packs)?).iterations(4);
        let operands = [cx.input(0), cx.input(1), cx.input(2), cx.output(0), cx.output(1)];
        cx.dispatch(kernel, &operands, packs.div_ceil(256));
        Ok(())
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(0, 3), (1, 4)]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        6 * inputs[0].shape.elements() as u64
    }
}

/// Values whose moments steps gather.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Moments {
    pub weight: Value,
    pub share: Value,
    /// For each value, its mean and the sum of squared deviations from it.
    pub of: Vec<[Value; 2]>,
}

/// The values whose mean and variance [`Session::monte_carlo`](crate::Session::monte_carlo) estimates.
#[derive(Clone, PartialEq, Debug)]
pub struct MonteCarlo {
    pub(crate) moments: Moments,
}

/// The values whose mean and variance [`Session::mean_over_masks`](crate::Session::mean_over_masks) computes.
#[derive(Clone, PartialEq, Debug)]
pub struct MaskMean {
    pub(crate) moments: Moments,
    pub(crate) masks: Vec<Mask>,
}

impl Graph {
    /// Computes the mean and the variance of each of `outputs` over the steps of
    /// [`Session::monte_carlo`](crate::Session::monte_carlo). For a network built in
    /// [`Mode::MonteCarlo`](crate::Mode::MonteCarlo), with its softmax as output, these are the mean and the spread
    /// of the distributions predicted with different units dropped (Srivastava et al., "Dropout", 2014, section 7.5;
    /// Gal and Ghahramani, "Dropout as a Bayesian Approximation", 2016).
    ///
    /// The moments are state, but not part of a state dict. Weights of another graph have no memory for them;
    /// [`Weights::with_state_of`](crate::Weights::with_state_of) adds it.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::{Device, Graph, Mode, Plan, Session, Weights, nn, nn::Layer};
    ///
    /// # fn predict(device: &Device, net: &nn::Sequential, weights: &Weights, pixels: &[f32]) -> wgrad::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.input("x", [32, 784])?;
    /// let logits = net.forward(&mut g, x, Mode::MonteCarlo)?;
    /// let probabilities = g.softmax(logits, 1)?;
    /// let estimate = g.monte_carlo(&[probabilities])?;
    /// let weights = weights.with_state_of(&g)?;
    /// let mut session = Session::new(device, Plan::new(&g, &[], device.caps())?, &weights)?;
    /// session.write(x, pixels)?;
    /// let found = session.monte_carlo(&estimate, 100)?.remove(0); // 100 draws
    /// println!("{:?} give or take {:?}", found.mean, found.variance);
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// An output that no node makes or that is not f32; a graph that already has an estimate in this scope.
    pub fn monte_carlo(&mut self, outputs: &[Value]) -> Result<MonteCarlo> {
        Ok(MonteCarlo { moments: self.moments("monte_carlo", outputs)? })
    }

    /// Computes the mean and the variance of each of `outputs` over all masks of a network that is built in
    /// [`Mode::EveryMask`](crate::Mode::EveryMask), weighted by their probabilities:
    /// [`Session::mean_over_masks`](crate::Session::mean_over_masks) runs a step for each mask. This is the average that
    /// [`Graph::monte_carlo`] estimates, and that evaluation approximates by one pass with all units (Srivastava et al.,
    /// "Dropout", 2014, section 1).
    ///
    /// A network with n units that may be dropped has 2^n masks, so n is at most 16. All samples of a batch have the same
    /// mask in a step.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::{Device, Graph, Mode, Plan, Session, Weights, nn, nn::Layer};
    ///
    /// # fn predict(device: &Device, weights: &Weights, points: &[f32]) -> wgrad::Result<()> {
    /// let net = nn::Sequential::new()
    ///     .add("fc1", nn::Linear::new(2, 10))
    ///     .add("relu", nn::Relu)
    ///     .add("dropout", nn::Dropout::new(0.5))
    ///     .add("fc2", nn::Linear::new(10, 3));
    /// let mut g = Graph::new();
    /// let x = g.input("x", [32, 2])?;
    /// let logits = net.forward(&mut g, x, Mode::EveryMask)?;
    /// let probabilities = g.softmax(logits, 1)?;
    /// let exact = g.mean_over_masks(&[probabilities])?;
    /// let weights = weights.with_state_of(&g)?;
    /// let mut session = Session::new(device, Plan::new(&g, &[], device.caps())?, &weights)?;
    /// session.write(x, points)?;
    /// let found = session.mean_over_masks(&exact)?.remove(0); // 1,024 masks
    /// println!("{:?}", found.mean);
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Outputs that depend on no dropout of this mode, or on ones of more than 16 units in all; what
    /// [`Graph::monte_carlo`] refuses.
    pub fn mean_over_masks(&mut self, outputs: &[Value]) -> Result<MaskMean> {
        let mut behind: HashSet<Value> = HashSet::new();
        for &output in outputs {
            behind.extend(self.nodes_behind(output)?.into_iter().flat_map(|id| &self.node_at(id).inputs));
        }
        let masks: Vec<Mask> =
            self.masks.iter().filter(|mask| behind.contains(&mask.input)).copied().collect();
        let units = masks.iter().fold(0, |sum: usize, mask| sum.saturating_add(mask.units));
        if !(1..=MOST_UNITS).contains(&units) {
            return Err(Error::Graph(format!(
                "a mean over all masks is of a network with 1 to {MOST_UNITS} units that dropout in \
                 Mode::EveryMask may drop, found {units}; estimate it with Graph::monte_carlo"
            )));
        }
        Ok(MaskMean { moments: self.moments("mean_over_masks", outputs)?, masks })
    }

    /// Appends the moments of `outputs`, in the scope `name`.
    fn moments(&mut self, name: &str, outputs: &[Value]) -> Result<Moments> {
        self.check_owned(outputs.iter().copied())?;
        for &output in outputs {
            let info = self.info(output);
            let made = matches!(self.info(self.storage(output)).source, Source::Node { .. });
            if !made || info.ty.dtype != DType::F32 {
                return Err(Error::Value {
                    name: info.name.clone(),
                    message: format!(
                        "only an f32 value that the step computes has moments; this is {}",
                        info.ty
                    ),
                });
            }
        }
        self.scoped(name, |g| {
            let mut scalar = |name: &str| {
                let name = g.scoped_name(name);
                g.input_scalar(&name)
            };
            let (weight, share) = (scalar("weight")?, scalar("share")?);
            let of = outputs.iter().enumerate().map(|(i, &output)| {
                let shape = g.shape_of(output).clone();
                let mut state =
                    |name: &str| g.state(&format!("{name}.{i}"), shape.clone(), Init::Constant(0.0), false);
                let moments = [state("mean")?, state("deviations")?];
                g.apply(SampleMoments, &[output, weight, share, moments[0], moments[1]])?;
                Ok(moments)
            });
            Ok(Moments { weight, share, of: of.collect::<Result<_>>()? })
        })
    }
}
