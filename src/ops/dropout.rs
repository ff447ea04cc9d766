//! Dropout, of elements, of whole channels and of whole samples, and its mask.
//!
//! Seed, step, node and unit alone decide which units are kept (the part `philox`). So the backward pass draws the same
//! bits again, no mask is stored, and a resumed run drops the same units as an uninterrupted one. Dropout is an
//! element-wise operator and fuses.

use crate::error::{Error, Result};
use crate::graph::{Graph, Mask, Mode, Source, Value};
use crate::op::{BackwardContext, IndexMap, Operator, Pointwise, Units};
use crate::ops::checks;
use crate::shader::parts;
use crate::tensor::{Shape, TensorType};
use std::any::Any;

/// Each unit becomes 0 with probability `p`, or else is divided by 1 - p (Srivastava et al.,
/// "Dropout", 2014, in the form that leaves evaluation alone). Its gradient is the same operator on the
/// gradient. Inputs: x, the step counter.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Dropout {
    /// Probability that a unit is dropped, above 0 and at most 1. What is kept is 1 - p, rounded to f32 once.
    pub p: f64,
    /// What is a unit.
    pub of: Unit,
    /// Seed of the run.
    pub seed: u64,
    /// Number of this dropout in its graph, so that several draw different bits.
    pub node: u32,
}

/// The unit of a dropout.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unit {
    /// An element.
    Element,
    /// A channel of a sample, of (N, C, ...): Tompson et al., "Efficient Object Localization Using
    /// Convolutional Networks", 2015.
    Channel,
    /// A sample, of (N, ...): Huang et al., "Deep Networks with Stochastic Depth", 2016.
    Sample,
}

impl Unit {
    /// The method of [`Graph`] that drops these units.
    fn method(self) -> &'static str {
        match self {
            Unit::Element => "dropout",
            Unit::Channel => "dropout2d",
            Unit::Sample => "stochastic_depth",
        }
    }
}

impl Dropout {
    /// The draw of units for a tensor of this shape.
    fn units(&self, shape: &Shape) -> IndexMap {
        let plane = match self.of {
            Unit::Element => 1,
            Unit::Channel => shape[2..].iter().product(),
            Unit::Sample => shape[1..].iter().product(),
        };
        // Words are below keep * 2^32 exactly where they are below it rounded up.
        let below = (f64::from(self.keep()) * 2f64.powi(32)).ceil() as u32;
        IndexMap::Units(Units { plane, below, seed: self.seed, node: self.node })
    }

    /// Probability that a unit is kept.
    pub(crate) fn keep(&self) -> f32 {
        keep(self.p)
    }

    /// What is kept is multiplied by this.
    fn scale(&self) -> f32 {
        if self.keep() == 0.0 { 0.0 } else { 1.0 / self.keep() }
    }

    fn check(&self, shape: &Shape) -> Result<(), String> {
        // Written so that a NaN fails too.
        if !((0.0..=1.0).contains(&self.p) && self.keep() < 1.0) {
            return Err(format!("dropout probability has to be above 0 and at most 1, but got {}", self.p));
        }
        if self.of == Unit::Channel && shape.len() < 2 {
            return Err(format!(
                "Feature dropout requires at least 2 dimensions in the input, found {shape}"
            ));
        }
        if self.of == Unit::Sample && shape.is_empty() {
            return Err("stochastic depth requires samples, (N, ...), found a scalar".into());
        }
        Ok(())
    }
}

/// The probability of keeping a unit that is dropped with this one.
fn keep(p: f64) -> f32 {
    (1.0 - p) as f32
}

fn check_step(step: &TensorType) -> Result<(), String> {
    if *step == TensorType::u32(Shape::scalar()) {
        Ok(())
    } else {
        Err(format!("expects the step counter, a u32 scalar, found {step}"))
    }
}

impl Operator for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.check(&inputs[0].shape)?;
        checks::f32_input(inputs[0])?;
        check_step(inputs[1])?;
        Ok(vec![inputs[0].clone()])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let inputs = [cx.output_gradient(0)?, cx.input(1)];
        let dx = cx.apply1(*self, &inputs)?;
        cx.set(0, dx);
        Ok(())
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        Some(Pointwise {
            file: &parts::dropout,
            function: "dropout",
            index_map: vec![IndexMap::Same, self.units(&inputs[0].shape)],
            numbers: vec![self.scale()],
        })
    }
}

/// The mask of a dropout: 1 for kept elements, 0 for the others. Input: the step counter.
#[derive(Clone, PartialEq, Debug)]
pub struct DropoutMask {
    /// The dropout.
    pub dropout: Dropout,
    /// Shape of its input.
    pub shape: Shape,
}

impl Operator for DropoutMask {
    fn name(&self) -> &'static str {
        "dropout_mask"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.dropout.check(&self.shape)?;
        check_step(inputs[0])?;
        Ok(vec![TensorType::f32(self.shape.clone())])
    }

    fn pointwise(&self, _inputs: &[&TensorType]) -> Option<Pointwise> {
        Some(Pointwise {
            file: &parts::dropout,
            function: "dropout_mask",
            index_map: vec![self.dropout.units(&self.shape)],
            numbers: vec![],
        })
    }

    fn tolerance(&self) -> f64 {
        0.0
    }

    fn flops(&self, _inputs: &[&TensorType]) -> u64 {
        0
    }
}

impl Graph {
    /// Dropout: in training each element of `x` becomes 0 with probability `p`, or else is divided by 1 - p; in
    /// evaluation this is `x` itself, and in [`Mode::MonteCarlo`] as in training. In [`Mode::EveryMask`] the steps of
    /// [`Session::mean_over_masks`](crate::Session::mean_over_masks) say what is dropped. Every step, and every dropout of a
    /// graph, draws anew; the same seed draws the same again. With a `p` of 1 the output and the gradient are zeros.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::{Graph, Mode};
    ///
    /// let mut g = Graph::new();
    /// let x = g.input("x", [32, 128])?;
    /// let y = g.dropout(x, 0.2, 42, Mode::Train)?; // drops a fifth
    /// assert_eq!(g.dropout(x, 0.2, 42, Mode::Eval)?, x);
    /// assert_eq!(g.shape(y)?, g.shape(x)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A `p` that is not between 0 and 1; an `x` that is not f32.
    pub fn dropout(&mut self, x: Value, p: f64, seed: u64, mode: Mode) -> Result<Value> {
        self.dropout_of(Unit::Element, x, p, seed, mode)
    }

    /// [`Graph::dropout`] of whole channels: of `x` (N, C, ...) each channel of each sample is kept or
    /// dropped as one.
    ///
    /// # Errors
    /// As [`Graph::dropout`]; an `x` of fewer than two dimensions.
    pub fn dropout2d(&mut self, x: Value, p: f64, seed: u64, mode: Mode) -> Result<Value> {
        self.dropout_of(Unit::Channel, x, p, seed, mode)
    }

    /// [`Graph::dropout`] of whole samples: of `x` (N, ...) each sample is kept or dropped as one. Behind the main
    /// branch of a residual block it is stochastic depth, as torchvision's in mode "row".
    ///
    /// # Errors
    /// As [`Graph::dropout`]; a scalar `x`.
    pub fn stochastic_depth(&mut self, x: Value, p: f64, seed: u64, mode: Mode) -> Result<Value> {
        self.dropout_of(Unit::Sample, x, p, seed, mode)
    }

    fn dropout_of(&mut self, of: Unit, x: Value, p: f64, seed: u64, mode: Mode) -> Result<Value> {
        if !(0.0..=1.0).contains(&p) {
            let message = format!("dropout probability has to be between 0 and 1, but got {p}");
            return Err(self.refusal(of.method(), message));
        }
        if matches!(mode, Mode::Eval | Mode::Population) || keep(p) == 1.0 {
            return Ok(x);
        }
        // What keeps nothing has one mask, and is no unit to enumerate.
        if mode == Mode::EveryMask && keep(p) > 0.0 {
            return self.dropout_by_mask(of, x, keep(p));
        }
        let earlier = self.count_of("dropout");
        let step = self.step_counter();
        // A graph of 2^32 nodes fits no memory.
        self.apply1(Dropout { p, of, seed, node: earlier as u32 }, &[x, step])
    }

    /// Dropout by a mask that is an input, the same for all samples.
    fn dropout_by_mask(&mut self, of: Unit, x: Value, keep: f32) -> Result<Value> {
        let mut sizes: Vec<usize> = self.shape(x)?.to_vec();
        if sizes.len() < 2 {
            let message = format!("expects samples and units, (N, ...), in Mode::EveryMask, found {sizes:?}");
            return Err(self.refusal(of.method(), message));
        }
        sizes[0] = 1;
        match of {
            Unit::Element => {}
            Unit::Channel => sizes[2..].fill(1),
            Unit::Sample => sizes[1..].fill(1),
        }
        let units = sizes.iter().product();
        let name = self.scoped_name(&format!("mask.{}", self.masks.len()));
        let input = self.input(&name, sizes)?;
        self.masks.push(Mask { input, units, keep });
        self.mul(x, input)
    }

    /// The mask of the dropout that made `y`: 1 where it keeps an element, 0 elsewhere.
    ///
    /// # Errors
    /// A value that no dropout made; in evaluation, and with a `p` of 0, none does.
    pub fn dropout_mask(&mut self, y: Value) -> Result<Value> {
        self.check_owned([y])?;
        let info = self.info(y);
        let made_by = match info.source {
            Source::Node { node, .. } => Some(self.node_at(node)),
            _ => None,
        };
        let dropout = made_by.and_then(|node| {
            let operator: &dyn Any = &*node.operator;
            Some((*operator.downcast_ref::<Dropout>()?, node.inputs[1]))
        });
        let Some((dropout, step)) = dropout else {
            return Err(Error::Graph(format!("\"{}\" is not the output of a dropout", info.name)));
        };
        let shape = info.ty.shape.clone();
        self.apply1(DropoutMask { dropout, shape }, &[step])
    }
}
