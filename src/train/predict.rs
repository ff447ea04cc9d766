//! Predictions, and the ones that are furthest off.

use super::Trainer;
use super::feed;
use crate::data::{Dataset, Loader, Order};
use crate::error::{Error, Result};
use crate::graph::Mode;
use crate::memory;
use crate::plan::Plan;
use crate::session::Session;
use crate::tensor::{DType, HostData, HostTensor, Shape};

/// A sample that was taken for another class than its own.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Mistake {
    /// Index of the item.
    pub index: usize,
    /// Its class.
    pub label: usize,
    /// The class that it was taken for.
    pub prediction: usize,
    /// How much larger the logit of that class is than that of its own: the logarithm of the ratio of their
    /// probabilities.
    pub margin: f64,
}

impl Trainer {
    /// What the task predicts for each item: a tensor whose first dimension is the data set's items.
    ///
    /// ```no_run
    /// # use wgrad::data::Images;
    /// # use wgrad::train::Trainer;
    /// # fn predict(trainer: &mut Trainer, pictures: &Images) -> wgrad::Result<()> {
    /// let logits = trainer.predict(pictures)?;
    /// println!("{}", logits.shape); // [items, classes]
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A data set without items; those of reading it; those of the graph, the plan and the session; not enough host
    /// memory.
    pub fn predict(&mut self, data: &dyn Dataset) -> Result<HostTensor> {
        self.make_weights(data)?;
        let (batch, items) = self.whole(data)?;
        let (batched, prediction) = self.prediction(data, batch, Mode::Eval)?;
        let ty = batched.graph.value(prediction)?.ty.clone();
        if ty.dtype != DType::F32 || ty.shape.first() != Some(&batch) {
            let message =
                format!("the task predicts {ty}, expected f32 with {batch} rows, one for each item");
            return Err(Error::Graph(message));
        }
        let plan =
            Plan::with_options(&batched.graph, &[prediction], self.device.caps(), &self.plan_options())?;
        let mut session = Session::new(&self.device, plan, &self.weights()?)?;
        let inputs = batched.inputs;
        let row = ty.shape.elements() / batch;
        let mut all: Vec<f32> = Vec::new();
        memory::reserve(&mut all, row.saturating_mul(items), "the predictions of all items")?;
        let loader = Loader::new(batch).workers(self.settings.workers);
        loader.run(data, &Order::sequential(items)?, 0..loader.batches(items), |batch| {
            feed::write(&mut session, &inputs, batch)?;
            session.step()?;
            let read = session.read(prediction)?;
            let HostData::F32(rows) = &read.data else { return Ok(()) };
            all.extend_from_slice(&rows[..batch.samples() * row]);
            Ok(())
        })?;
        if self.settings.watch {
            session.check_finite()?;
        }
        HostTensor::f32(Shape::from([&[items], &ty.shape[1..]].concat()), all)
    }

    /// The items that a classifier takes for another class than [`Dataset::label`] says, the most wrong ones first.
    ///
    /// # Errors
    /// As [`Trainer::predict`]; predictions other than logits `[n, classes]`; items without a class.
    pub fn mistakes(&mut self, data: &dyn Dataset) -> Result<Vec<Mistake>> {
        let labels = (0..data.len()).map(|index| {
            data.label(index).ok_or_else(|| {
                let message = format!("item {index} has no class; Dataset::label tells it");
                Error::Setting { setting: "data", message }
            })
        });
        let labels = labels.collect::<Result<Vec<usize>>>()?;
        let logits = self.predict(data)?;
        let &[_, classes] = &logits.shape[..] else {
            return Err(Error::Graph(format!(
                "the task predicts {}, expected logits [n, classes]",
                logits.ty()
            )));
        };
        let mut found = Vec::new();
        for (index, (row, label)) in logits.to_f64().chunks(classes).zip(labels).enumerate() {
            if label >= classes {
                let message = format!("item {index} is of class {label}, but the task tells {classes}");
                return Err(Error::Setting { setting: "data", message });
            }
            let prediction =
                (1..classes).fold(0, |best, class| if row[class] > row[best] { class } else { best });
            if prediction != label {
                found.push(Mistake { index, label, prediction, margin: row[prediction] - row[label] });
            }
        }
        found.sort_by(|a, b| b.margin.total_cmp(&a.margin));
        Ok(found)
    }
}
