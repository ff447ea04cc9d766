//! Dropout, of elements and of whole channels, and its mask.
//!
//! Seed, step, node and unit alone decide which units are kept (`shared/philox`). So the backward pass draws the same
//! bits again, no mask is stored, and a resumed run drops the same units as an uninterrupted one. Dropout is an
//! element-wise operator and fuses.

use crate::error::{Error, Result};
use crate::graph::{Graph, Mode, Source, Value};
use crate::op::{BackwardContext, IndexMap, Operator, Pointwise, Units};
use crate::shader::parts;
use crate::tensor::{DType, Shape, TensorType};
use std::any::Any;

/// Each unit is kept with probability `keep`, then divided by it, or else becomes 0 (Srivastava et al.,
/// "Dropout", 2014, in the form that leaves evaluation alone). Its gradient is the same operator on the
/// gradient. Inputs: x, the step counter.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Dropout {
    /// Probability that a unit is kept, at least 0 and below 1.
    pub keep: f32,
    /// The unit that is kept or dropped as one.
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
}

impl Dropout {
    /// The draw of units for a tensor of this shape.
    fn units(&self, shape: &Shape) -> IndexMap {
        let plane = match self.of {
            Unit::Element => 1,
            Unit::Channel => shape[2..].iter().product(),
        };
        // A word is below keep * 2^32 exactly if it is below that number rounded up.
        let below = (f64::from(self.keep) * 2f64.powi(32)).ceil() as u32;
        IndexMap::Units(Units { plane, below, seed: self.seed, node: self.node })
    }

    /// The factor of kept elements.
    fn scale(&self) -> f32 {
        if self.keep == 0.0 { 0.0 } else { 1.0 / self.keep }
    }

    fn check(&self, shape: &Shape) -> Result<(), String> {
        // Written so that a NaN fails too.
        if !((0.0..1.0).contains(&self.keep) && self.scale().is_finite()) {
            return Err(format!("keep probability must be at least 0 and below 1, found {}", self.keep));
        }
        if self.of == Unit::Channel && shape.len() < 2 {
            return Err(format!(
                "Feature dropout requires at least 2 dimensions in the input, found {shape}"
            ));
        }
        Ok(())
    }
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
        if inputs[0].dtype != DType::F32 {
            return Err(format!("expects an f32 input, found {}", inputs[0]));
        }
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

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
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
}

impl Graph {
    /// Dropout: in training each element of `x` is kept with probability `keep_probability` and
    /// divided by it, or else becomes 0; in evaluation this is `x` itself, and in [`Mode::MonteCarlo`] as in
    /// training. Every step, and every dropout of a graph, draws anew; the same seed draws the same again. With a keep
    /// probability of 0 the output and the gradient are zeros, as with PyTorch's `p=1`.
    ///
    /// # Errors
    /// A keep probability that is not between 0 and 1; an `x` that is not f32.
    pub fn dropout(&mut self, x: Value, keep_probability: f32, seed: u64, mode: Mode) -> Result<Value> {
        self.dropout_of(Unit::Element, x, keep_probability, seed, mode)
    }

    /// [`Graph::dropout`] of whole channels: of `x` (N, C, ...) each channel of each sample is kept or
    /// dropped as one.
    ///
    /// # Errors
    /// As [`Graph::dropout`]; an `x` of fewer than two dimensions.
    pub fn dropout2d(&mut self, x: Value, keep_probability: f32, seed: u64, mode: Mode) -> Result<Value> {
        self.dropout_of(Unit::Channel, x, keep_probability, seed, mode)
    }

    fn dropout_of(&mut self, of: Unit, x: Value, keep: f32, seed: u64, mode: Mode) -> Result<Value> {
        if !(0.0..=1.0).contains(&keep) {
            let operator = if of == Unit::Element { "dropout" } else { "dropout2d" };
            let message = format!("keep_probability must be between 0 and 1, found {keep}");
            return Err(self.refusal(operator, message));
        }
        if mode == Mode::Eval || keep == 1.0 {
            return Ok(x);
        }
        let earlier = self.count_of("dropout");
        let step = self.step_counter();
        // A graph of 2^32 nodes fits no memory.
        self.apply1(Dropout { keep, of, seed, node: earlier as u32 }, &[x, step])
    }

    /// The mask of the dropout that made `y`: 1 where it keeps an element, 0 elsewhere.
    ///
    /// # Errors
    /// A value that no dropout made; in evaluation, and with a keep probability of 1, none does.
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
