//! Evaluation and prediction: sessions of the evaluation graph over the same weights.

use super::Trainer;
use super::feed;
use super::found::{Found, Measure, add};
use super::graphs::Batched;
use super::history::Evaluation;
use super::metrics::Seen;
use crate::data::{Dataset, Field, Last, Loader, Order};
use crate::error::{Error, Result};
use crate::graph::{Mode, Value};
use crate::plan::Plan;
use crate::session::Session;
use crate::tensor::DType;
use crate::weights::{Metadata, Weights};

/// Values that are kept on the device between readbacks.
const KEPT: usize = 1024;
/// Sessions that are kept: those of whole and of last batches, for two data sets.
const MOST_SESSIONS: usize = 4;
/// The figure that several metrics may have, because it is the same.
const SHARED: &str = "accuracy";
/// The number up to which f32 counts exactly.
const EXACT: u64 = 1 << 24;

/// The sessions of evaluations, kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Evaluators {
    /// For each batch size, of the data set's fields and these weights.
    sessions: Vec<Evaluator>,
}

#[derive(Debug)]
struct Evaluator {
    key: Key,
    session: Session,
    inputs: Vec<Value>,
    weights: Weights,
    loss: Value,
    sums: Vec<Sum>,
    /// Batches between readbacks: what is recorded fits, and counts stay exact.
    keeps: usize,
}

/// What a session of evaluations depends on.
#[derive(Clone, PartialEq, Debug)]
struct Key {
    batch: usize,
    fields: Vec<Field>,
    metrics: usize,
    averaged: bool,
    watch: bool,
}

/// A metric's sum over batches.
#[derive(Debug)]
struct Sum {
    value: Value,
    /// The name of the running sum, for more than one element. One element is recorded instead.
    running: Option<String>,
    measured: Measure,
}

impl Trainer {
    /// The loss and the metrics over a data set.
    ///
    /// ```no_run
    /// # use wgrad::data::Images;
    /// # use wgrad::train::Trainer;
    /// # fn evaluate(trainer: &mut Trainer, test: &Images) -> wgrad::Result<()> {
    /// let found = trainer.evaluate(test)?;
    /// println!("{found}, top-5 {:?}", found.figure("top5"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A data set without items; those of reading it; those of the graph, the plan and the session.
    pub fn evaluate(&mut self, data: &dyn Dataset) -> Result<Evaluation> {
        self.make_weights(data)?;
        let (batch, items) = self.whole(data)?;
        let (padded, whole) = (self.pads(data), items / batch);
        let mut found = Found::default();
        let last = if padded { Last::Pad(1) } else { Last::Short };
        let loader = Loader::new(batch).workers(self.settings.workers).last(last);
        let order = Order::sequential(items)?;
        let batches = loader.batches(items);
        let full = if padded { batches } else { whole };
        let part = self.part_of(full);
        self.evaluate_batches(data, batch, |run| loader.run(data, &order, part, run), &mut found)?;
        if full < batches && self.is_last_rank() {
            let rest = items - whole * batch;
            self.evaluate_batches(
                data,
                rest,
                |run| loader.run(data, &order, full..batches, run),
                &mut found,
            )?;
        }
        if let Some(ranks) = &self.ranks {
            found.gather(ranks)?;
        }
        let (samples, batches) = (found.samples.iter().sum::<u64>(), found.samples.len() as u64);
        let losses = found.losses.iter().zip(&found.samples);
        let loss = losses.map(|(&loss, &samples)| f64::from(loss) * samples as f64).sum::<f64>();
        let sums: Vec<Vec<f64>> = found.sums.into_iter().map(Measure::sum).collect();
        let mut evaluation = Evaluation {
            samples,
            loss: loss / samples as f64,
            figures: Vec::new(),
            confusion: self.metrics.iter().zip(&sums).find_map(|(metric, sum)| metric.confusion(sum)),
        };
        for (name, figure) in
            self.metrics.iter().zip(&sums).flat_map(|(metric, sum)| metric.figures(sum, samples, batches))
        {
            // The accuracy is a metric of its own and one of the confusion matrix.
            if !evaluation.figures.iter().any(|(other, _)| *other == name) {
                evaluation.figures.push((name, figure));
            }
        }
        Ok(evaluation)
    }

    /// The graph of an evaluation, with its metrics.
    fn measured(&self, data: &dyn Dataset, batch: usize) -> Result<Measured> {
        let mut batched = self.with_loss(data, batch, Mode::Eval)?;
        let seen = batched.seen()?;
        let mut sums = Vec::new();
        for (i, metric) in self.metrics.iter().enumerate() {
            let g = &mut batched.graph;
            let value = g.scoped("metrics", |g| metric.build(g, &seen))?;
            let ty = &g.value(value)?.ty;
            if ty.dtype != DType::F32 && (ty.shape.elements() != 1 || ty.dtype != DType::U32) {
                let message = format!("metric \"{}\" makes {ty}, expected f32, or one u32", metric.name());
                return Err(Error::Graph(message));
            }
            let running = (ty.shape.elements() != 1).then(|| format!("metrics.sum.{i}"));
            let value = match &running {
                Some(name) => g.running_sum(name, value)?,
                None => value,
            };
            sums.push(Sum { value, running, measured: Measure::Each(Vec::new()) });
        }
        Ok(Measured { batched, seen, sums })
    }

    /// Names of the figures that epochs will have. Finds what is wrong with an evaluation before a run instead of at the
    /// end of its first epoch.
    pub(super) fn figures(&self, evaluation: Option<&dyn Dataset>) -> Result<Vec<String>> {
        let mut names: Vec<String> = ["training_loss", "learning_rate"].map(str::to_owned).into();
        let Some(data) = evaluation else { return Ok(names) };
        names.push("loss".to_owned());
        let Measured { batched, sums, .. } = self.measured(data, self.whole(data)?.0)?;
        for (metric, sum) in self.metrics.iter().zip(&sums) {
            let zeros = vec![0.0; batched.graph.shape(sum.value)?.elements()];
            for (name, _) in metric.figures(&zeros, 1, 1) {
                // The accuracy is a metric of its own and one of the confusion matrix.
                if name != SHARED && names.contains(&name) {
                    let message = format!("two figures are called \"{name}\"; give a metric another name");
                    return Err(Error::Setting { setting: "metric", message });
                }
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    /// The items of a whole batch of a data set, and all of them.
    pub(super) fn whole(&self, data: &dyn Dataset) -> Result<(usize, usize)> {
        let error = |setting, message: &str| Err(Error::Setting { setting, message: message.into() });
        match (self.settings.batch_size, data.len()) {
            (_, 0) => error("data", "there are no items"),
            (0, _) => error("batch_size", "found 0, expected at least 1"),
            (batch, items) => Ok((batch.min(items), items)),
        }
    }

    /// Whether a last, smaller batch may be filled up with ignored labels.
    fn pads(&self, data: &dyn Dataset) -> bool {
        self.task.ignores_padding()
            && self.metrics.iter().all(|metric| metric.ignores_padding())
            && data.fields().get(1).is_some_and(|field| field.dtype == DType::I32)
    }

    fn evaluate_batches(
        &mut self,
        data: &dyn Dataset,
        size: usize,
        batches: impl FnOnce(&mut dyn FnMut(&crate::data::Batch) -> Result<()>) -> Result<()>,
        found: &mut Found,
    ) -> Result<()> {
        let at = self.evaluator(data, size)?;
        let watch = self.settings.watch;
        let evaluator = &mut self.evaluators.sessions[at];
        evaluator.begin()?;
        let (mut kept, mut samples) = (0, Vec::new());
        batches(&mut |batch| {
            feed::write(&mut evaluator.session, &evaluator.inputs, batch)?;
            evaluator.session.step()?;
            samples.push(batch.samples() as u64);
            kept += 1;
            if kept == evaluator.keeps {
                evaluator.fetch(&mut samples, found)?;
                kept = 0;
            }
            Ok(())
        })?;
        evaluator.fetch(&mut samples, found)?;
        if watch {
            evaluator.session.check_finite()?;
        }
        for (i, sum) in evaluator.sums.iter_mut().enumerate() {
            let measured = std::mem::replace(&mut sum.measured, Measure::Each(Vec::new()));
            match (found.sums.get_mut(i), measured) {
                (None, measured) => found.sums.push(measured),
                (Some(Measure::Each(so_far)), Measure::Each(more)) => so_far.extend(more),
                (Some(Measure::Total(so_far)), Measure::Total(more)) => add(so_far, &more),
                (Some(_), _) => return Err(Error::Graph("a metric changed between two batches".into())),
            }
        }
        Ok(())
    }

    /// The place of the evaluator of batches of this size; made if there is none.
    fn evaluator(&mut self, data: &dyn Dataset, batch: usize) -> Result<usize> {
        let key = Key {
            batch,
            fields: data.fields().to_vec(),
            metrics: self.metrics.len(),
            averaged: self.settings.averaged,
            watch: self.settings.watch,
        };
        if let Some(at) = self.evaluators.sessions.iter().position(|evaluator| evaluator.key == key) {
            return Ok(at);
        }
        let Measured { batched, seen, sums } = self.measured(data, batch)?;
        let recorded = sums.iter().filter(|sum| sum.running.is_none()).map(|sum| sum.value);
        let outputs: Vec<Value> = std::iter::once(seen.loss).chain(recorded).collect();
        let Batched { graph, inputs, .. } = batched;
        let plan = Plan::with_options(&graph, &outputs, self.device.caps(), &self.plan_options())?;
        let weights = self.weights()?.with_state_of(&graph)?;
        let mut session = Session::new(&self.device, plan, &weights)?;
        for output in outputs {
            session.record(output, KEPT)?;
        }
        // A running sum counts each label of a batch once at the most.
        let labels =
            seen.target.map_or(Ok(batch), |target| graph.shape(target).map(|shape| shape.elements()))?;
        let exact = (EXACT / labels.max(1) as u64).max(1) as usize;
        let keeps = if sums.iter().any(|sum| sum.running.is_some()) { exact.min(KEPT) } else { KEPT };
        // Each takes device memory.
        if self.evaluators.sessions.len() == MOST_SESSIONS {
            self.evaluators.sessions.remove(0);
        }
        self.evaluators.sessions.push(Evaluator {
            key,
            session,
            inputs,
            weights,
            loss: seen.loss,
            sums,
            keeps,
        });
        Ok(self.evaluators.sessions.len() - 1)
    }
}

/// The graph of an evaluation, what its metrics see, and their sums.
struct Measured {
    batched: Batched,
    seen: Seen,
    sums: Vec<Sum>,
}

impl Evaluator {
    /// Sets running sums to zero.
    fn begin(&mut self) -> Result<()> {
        let graph = self.session.plan().graph();
        for sum in &mut self.sums {
            let elements = graph.shape(sum.value)?.elements();
            sum.measured = Measure::Each(Vec::new());
            if let Some(name) = &sum.running {
                sum.measured = Measure::Total(vec![0.0; elements]);
                self.weights.write(name, &vec![0.0; elements])?;
            }
        }
        // What an evaluation that failed left behind.
        let single = self.sums.iter().filter(|sum| sum.running.is_none()).map(|sum| sum.value);
        for value in std::iter::once(self.loss).chain(single) {
            self.session.recorded(value)?;
        }
        Ok(())
    }

    /// Reads what was kept, and adds it up.
    fn fetch(&mut self, samples: &mut Vec<u64>, found: &mut Found) -> Result<()> {
        found.losses.extend(self.session.recorded(self.loss)?.as_f32().unwrap_or_default());
        found.samples.append(samples);
        for sum in &mut self.sums {
            match (&mut sum.measured, &sum.running) {
                (Measure::Total(total), Some(name)) => {
                    let read = self.session.read(sum.value)?.to_f64();
                    add(total, &read);
                    self.weights.write(name, &vec![0.0; read.len()])?;
                }
                (Measure::Each(each), _) => {
                    // Counts of a batch are far below what f32 holds exactly.
                    each.extend(self.session.recorded(sum.value)?.to_f64().iter().map(|&x| x as f32));
                }
                (Measure::Total(_), None) => {}
            }
        }
        Ok(())
    }
}

impl Trainer {
    /// Makes the weights if there are none: of the training graph if there is one, so that they have the optimizer's
    /// state.
    pub(super) fn make_weights(&mut self, data: &dyn Dataset) -> Result<()> {
        if self.weights.is_some() {
            return Ok(());
        }
        // Without a target, as where a network only predicts, there is no training graph.
        let trained = if self.optimizer.is_some() { self.training(data).ok() } else { None };
        let graph = match trained {
            Some(training) => training.batched.graph,
            None => self.prediction(data, self.whole(data)?.0, Mode::Eval)?.0.graph,
        };
        let weights = Weights::init(&self.device, &graph, self.settings.seed)?;
        // A file of these weights then says what they tell apart, unless the program says more.
        let class_names = data.class_names().to_vec();
        weights.set_metadata(Metadata { class_names, ..Metadata::default() })?;
        if let Some(start) = &self.start {
            start(&weights)?;
        }
        if let Some(path) = self.settings.resumes_from() {
            weights.load(path)?;
        }
        self.weights = Some(weights);
        Ok(())
    }
}
