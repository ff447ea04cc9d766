//! The graphs of a run: a training step, an evaluation step, a prediction.

use super::metrics::{Metric, Seen};
use super::task::Named;
use super::{Fields, Forward, Trainer};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::graph::{Graph, Mode, Value};
use crate::tensor::DType;
use crate::tensor::Shape;

/// A graph and the inputs that hold a batch, in the order of the data set's fields.
#[derive(Clone, Debug)]
pub(super) struct Batched {
    pub graph: Graph,
    pub inputs: Vec<Value>,
    pub forward: Option<Forward>,
    pub target: Option<Value>,
}

/// The graph of a training step.
#[derive(Clone, Debug)]
pub(super) struct Training {
    pub batched: Batched,
    pub loss: Value,
    pub rate: Value,
    /// In the order in which the trainer has them.
    pub scalars: Vec<Value>,
    /// One-element values that are followed, in the order of the metrics.
    pub followed: Vec<Value>,
}

/// Inputs for the fields of a batch, and their values for a task, which are floats where the data set has bytes.
pub(super) fn inputs(g: &mut Graph, data: &dyn Dataset, batch: usize) -> Result<(Vec<Value>, Fields)> {
    let (mut inputs, mut fields) = (Vec::new(), Vec::new());
    for field in data.fields() {
        let shape = Shape::from([&[batch], &field.shape[..]].concat());
        let input = match field.dtype {
            DType::I32 => g.input_i32(&field.name, shape)?,
            DType::F32 => g.input(&field.name, shape)?,
            DType::U8 => g.input_u8(&field.name, shape)?,
            DType::U32 | DType::F16 => {
                let other = if field.dtype == DType::U32 { DType::I32 } else { DType::F32 };
                let message = format!(
                    "field \"{}\" holds {}, which no graph takes for an input; make it {other}",
                    field.name, field.dtype
                );
                return Err(Error::Graph(message));
            }
        };
        let value = if field.dtype == DType::U8 { g.bytes_to_float(input)? } else { input };
        inputs.push(input);
        fields.push(Named { name: field.name.clone(), input, value });
    }
    if fields.is_empty() {
        return Err(Error::Graph("the data set has no fields, so there is nothing to train with".into()));
    }
    Ok((inputs, Fields::new(fields)))
}

impl Trainer {
    /// The graph of a step over `batch` samples in this mode, with the loss.
    pub(super) fn with_loss(&self, data: &dyn Dataset, batch: usize, mode: Mode) -> Result<Batched> {
        let mut graph = Graph::new();
        let (inputs, fields) = inputs(&mut graph, data, batch)?;
        let forward = |graph: &mut Graph| self.task.forward(graph, &fields, mode);
        let forward = if mode == Mode::Train && self.settings.synchronized_statistics {
            graph.synchronized_statistics(self.cut()?.0, forward)?
        } else {
            forward(&mut graph)?
        };
        let forward = Some(forward);
        Ok(Batched { graph, inputs, forward, target: self.task.target(&fields) })
    }

    /// The graph of a prediction.
    pub(super) fn prediction(
        &self,
        data: &dyn Dataset,
        batch: usize,
        mode: Mode,
    ) -> Result<(Batched, Value)> {
        let mut graph = Graph::new();
        let (inputs, fields) = inputs(&mut graph, data, batch)?;
        let prediction = self.task.predict(&mut graph, &fields, mode)?;
        Ok((Batched { graph, inputs, forward: None, target: None }, prediction))
    }

    /// The graph of a training step, or of one of its micro-batches.
    pub(super) fn training(&self, data: &dyn Dataset) -> Result<Training> {
        let Some(minimize) = &self.optimizer else {
            return Err(Error::Graph("the trainer has no optimizer; set one with Trainer::optimizer".into()));
        };
        let mut batched = self.with_loss(data, self.cut()?.1, Mode::Train)?;
        let seen = batched.seen()?;
        let g = &mut batched.graph;
        let followed = self.followed.iter().map(|metric| one_element(g, metric.as_ref(), &seen));
        let followed = followed.collect::<Result<Vec<Value>>>()?;
        let rate = g.input_scalar("learning_rate")?;
        let scalars = self.scalars.0.iter().map(|(name, _)| g.input_scalar(name));
        let scalars = scalars.collect::<Result<Vec<Value>>>()?;
        minimize(g, seen.loss, rate)?;
        Ok(Training { loss: seen.loss, batched, rate, scalars, followed })
    }
}

impl Batched {
    /// What metrics see.
    pub(super) fn seen(&self) -> Result<Seen> {
        let Some(Forward { prediction, loss }) = self.forward else {
            return Err(Error::Graph("a prediction has no loss".into()));
        };
        let ty = &self.graph.value(loss)?.ty;
        if ty.shape.elements() != 1 {
            return Err(Error::Graph(format!(
                "the task's loss is {ty}, expected a scalar, the mean over the batch"
            )));
        }
        Ok(Seen { prediction, target: self.target, loss })
    }
}

/// A metric's value, which has to have one element.
fn one_element(g: &mut Graph, metric: &dyn Metric, seen: &Seen) -> Result<Value> {
    let value = metric.build(g, seen)?;
    let ty = &g.value(value)?.ty;
    if ty.shape.elements() == 1 {
        return Ok(value);
    }
    Err(Error::Graph(format!(
        "metric \"{}\" makes {ty}; only one element can be kept for each step, so add it by Trainer::metric",
        metric.name()
    )))
}
