//! Mean and variance of a network's outputs over many steps, computed on the device, for Monte-Carlo dropout.
//!
//! The graph's part is here; `session/monte_carlo.rs` runs the steps.

use super::pack::pack;
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Source, Value};
use crate::op::{LowerContext, Operator};
use crate::ops::checks;
use crate::shader::{Kernel, kernels};
use crate::tensor::{DType, Shape, TensorType};

/// Adds one sample to the mean and the sum of squared deviations of each element. Inputs: x; the number of the
/// sample, from 1 on; both moments so far, of x's shape. Outputs: both, in place. The first sample replaces the old
/// contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SampleMoments;

impl Operator for SampleMoments {
    fn name(&self) -> &'static str {
        "sample_moments"
    }

    fn arity(&self) -> (usize, usize) {
        (4, 4)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x, sample, mean, deviations] = inputs else {
            return Err(format!("expects 4 inputs, found {}", inputs.len()));
        };
        checks::f32_input(x)?;
        if **sample != TensorType::f32(Shape::scalar()) {
            return Err(format!("expects the sample's number, an f32 scalar, found {sample}"));
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
        let operands = [cx.input(0), cx.input(1), cx.output(0), cx.output(1)];
        cx.dispatch(kernel, &operands, packs.div_ceil(256));
        Ok(())
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(0, 2), (1, 3)]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        6 * inputs[0].shape.elements() as u64
    }
}

/// The values whose mean and variance [`Session::monte_carlo`](crate::Session::monte_carlo) estimates.
#[derive(Clone, PartialEq, Debug)]
pub struct MonteCarlo {
    pub(crate) sample: Value,
    /// For each value, its mean and the sum of squared deviations from it.
    pub(crate) moments: Vec<[Value; 2]>,
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
        self.scoped("monte_carlo", |g| {
            let sample = g.scoped_name("sample");
            let sample = g.input_scalar(&sample)?;
            let moments = outputs.iter().enumerate().map(|(i, &output)| {
                let shape = g.shape_of(output).clone();
                let mut state =
                    |name: &str| g.state(&format!("{name}.{i}"), shape.clone(), Init::Constant(0.0), false);
                let moments = [state("mean")?, state("deviations")?];
                g.apply(SampleMoments, &[output, sample, moments[0], moments[1]])?;
                Ok(moments)
            });
            Ok(MonteCarlo { sample, moments: moments.collect::<Result<_>>()? })
        })
    }
}
