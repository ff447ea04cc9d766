//! Verifies a training step, times it, chooses its kernels, and plans it.

use super::Trainer;
use super::feed;
use super::graphs::Training;
use super::rate::scheduled;
use crate::data::{Dataset, Loader, Order};
use crate::error::{Error, Result};
use crate::graph::{Graph, Mode, Value};
use crate::plan::Plan;
use crate::session::{Profile, Session, Verified};
use crate::tune::{Progress, Tuned, Tuner};
use crate::weights::Weights;
use std::path::Path;

impl Trainer {
    /// The plan of a training step.
    ///
    /// # Errors
    /// Those of the graph and of planning it.
    pub fn training_plan(&self, data: &dyn Dataset) -> Result<Plan> {
        let training = self.training(data)?;
        Plan::with_options(
            &training.batched.graph,
            &training.outputs(),
            self.device.caps(),
            &self.plan_options(),
        )
    }

    /// Compares every kernel of a training step with the reference, on the first batch. It has weights of its own, so
    /// that a run that follows is as it would have been.
    ///
    /// # Errors
    /// A kernel that differs; else as [`Trainer::fit`].
    pub fn verify(&self, data: &dyn Dataset) -> Result<Vec<Verified>> {
        let training = self.training(data)?;
        let weights = Weights::init(&self.device, &training.batched.graph, self.settings.seed)?;
        if let Some(start) = &self.start {
            start(&weights)?;
        }
        let resume = self.settings.resumes_from();
        let mut session = self.first_batch(data, &training, &weights, |session| match resume {
            Some(path) => session.load_checkpoint(path).map(drop),
            None => Ok(()),
        })?;
        session.verify()
    }

    /// Times each node of a training step, over `steps` steps on the first batch. The steps change the weights.
    ///
    /// # Errors
    /// As [`Trainer::fit`].
    pub fn profile(&mut self, data: &dyn Dataset, steps: usize) -> Result<Profile> {
        self.make_weights(data)?;
        let training = self.training(data)?;
        let weights =
            self.weights.clone().ok_or_else(|| Error::Graph("the trainer has no weights".into()))?;
        let mut session = self.first_batch(data, &training, &weights, |_| Ok(()))?;
        // One step warms up.
        session.step()?;
        session.profile(steps)
    }

    /// A session of a training step that has the first batch for its input.
    fn first_batch(
        &self,
        data: &dyn Dataset,
        training: &Training,
        weights: &Weights,
        before: impl FnOnce(&mut Session) -> Result<()>,
    ) -> Result<Session> {
        let outputs = training.outputs();
        let graph = &training.batched.graph;
        let plan = Plan::with_options(graph, &outputs, self.device.caps(), &self.plan_options())?;
        let mut session = Session::new(&self.device, plan, weights)?;
        before(&mut session)?;
        let order = Order::shuffled(data.len(), self.settings.seed, 0)?;
        let loader = Loader::new(self.cut()?.1).workers(0);
        let epoch = loader.batches(data.len()) as u64;
        let steps = epoch.saturating_mul(self.settings.epochs);
        let rate = self.rate.of(steps, self.settings.epochs)?.rate(0, 0)?;
        session.write_scalar(training.rate, rate)?;
        for (&scalar, (name, schedule)) in training.scalars.iter().zip(self.scalars.of(steps)?) {
            session.write_scalar(scalar, scheduled(&name, &schedule, 0)?)?;
        }
        let inputs = training.batched.inputs.clone();
        loader.run(data, &order, 0..1, |batch| feed::write(&mut session, &inputs, batch))?;
        Ok(session)
    }

    /// Takes the fastest kernels for the training and the evaluation step: those that `file` names for this device, or
    /// else measures them and adds them to the file. `progress` is told how far it is. Returns what was measured for
    /// each of the two.
    ///
    /// # Errors
    /// Those of [`Tuner::run`].
    pub fn tune(
        &mut self,
        data: &dyn Dataset,
        file: impl AsRef<Path>,
        mut progress: impl FnMut(&Progress),
    ) -> Result<Vec<Tuned>> {
        let options = self.plan_options();
        let training = self.training(data)?;
        let evaluation = self.with_loss(data, self.settings.batch_size, Mode::Eval)?;
        let loss = evaluation.seen()?.loss;
        let steps: [(&Graph, Vec<Value>); 2] =
            [(&training.batched.graph, training.outputs()), (&evaluation.graph, vec![loss])];
        // Where ranks have one file, all take what the first one measured.
        let found = self.first_rank_first("what was tuned", |is_alive| {
            let mut found = Vec::new();
            for (graph, outputs) in &steps {
                let told = |done: &Progress| {
                    is_alive();
                    progress(done);
                };
                let mut tuner = Tuner::new(&self.device).file(file.as_ref()).progress(told);
                found.push(tuner.run(graph, outputs, &options)?);
            }
            Ok(found)
        })?;
        if let Some(tuned) = found.last() {
            self.settings.plan = self.settings.plan.clone().tuned(tuned.tuning.clone());
        }
        Ok(found)
    }
}

impl Training {
    /// What a plan has to keep.
    pub(super) fn outputs(&self) -> Vec<Value> {
        std::iter::once(self.loss).chain(self.followed.iter().copied()).collect()
    }
}
