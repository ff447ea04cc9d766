//! The run over epochs.

use super::Trainer;
use super::callbacks::{Begin, Callback, EpochEnd, Flow, Progress};
use super::clock::Clock;
use super::feed;
use super::graphs::Training;
use super::history::{Epoch, History};
use super::ranks::Steps;
use super::rate::{Rates, scheduled};
use super::resume::{self, Losses};
use super::settings::Every;
use crate::data::{Dataset, Field, Last, Loader, Order};
use crate::error::{Error, Result};
use crate::file;
use crate::graph::Value;
use crate::optim::Schedule;
use crate::parallel::Communicator;
use crate::plan::Plan;
use crate::session::Session;
use std::time::{Duration, Instant};

/// The most steps between fetches of recorded values.
const KEPT: usize = 256;
/// Time between fetches: short enough to watch the loss, long enough to cost nothing.
const FETCH_EVERY: Duration = Duration::from_millis(500);

/// A run that goes on.
struct Run<'d> {
    steps_of: Steps,
    inputs: Vec<Value>,
    loss: Value,
    rate: Value,
    followed: Vec<(Value, String)>,
    rates: Rates,
    scalars: Vec<(Value, String, Schedule)>,
    loader: Loader,
    data: &'d dyn Dataset,
    steps_per_epoch: u64,
    /// Steps at which the run ends.
    steps: u64,
    settings: Vec<(String, String)>,
    history: History,
    losses: Losses,
    clock: Clock,
    fetched: Instant,
    pending: usize,
    last_rate: f64,
}

impl Trainer {
    /// Trains on `data`, evaluates on `evaluation` after each epoch, and returns what was measured.
    ///
    /// Called again, it trains the same weights in another run, from step 0 of its schedule on; a trainer that resumes does
    /// so again.
    ///
    /// Each epoch sees all samples in an order of its own, which follows from seed and epoch. Losses stay on the device
    /// and are read a few times a second.
    ///
    /// # Errors
    /// No optimizer; a data set without items; those of reading it; those of the graph, the plan and the session; a loss
    /// or a value that is not finite; a checkpoint of another run; an error of a callback; ranks that are not alike, or one
    /// that is gone.
    pub fn fit(&mut self, data: &dyn Dataset, evaluation: Option<&dyn Dataset>) -> Result<History> {
        let result = self.fit_all(data, evaluation);
        if let (Err(error), Some(ranks)) = (&result, &mut self.ranks) {
            ranks.give_up(error);
        }
        result
    }

    fn fit_all(&mut self, data: &dyn Dataset, evaluation: Option<&dyn Dataset>) -> Result<History> {
        if let Some(other) = evaluation {
            check_alike(data, other)?;
        }
        let training = self.training(data)?;
        self.make_weights(data)?;
        // Weights that a prediction made have no memory for the optimizer's state.
        if let Some(weights) = &self.weights {
            self.weights = Some(weights.with_state_of(&training.batched.graph)?);
        }
        // Averages that are not there are told now, and not at the end of an epoch.
        self.weights()?;
        let figures = self.figures(evaluation)?;
        let mut run = self.begin(data, evaluation, training)?;
        let begun = self.tell_begin(&mut run, figures);
        let result = begun.and_then(|()| self.run_epochs(&mut run, evaluation));
        let ended = self.callbacks().iter_mut().map(|callback| callback.end(&run.history));
        // All of them hear of the end, whatever one of them says.
        let ended: Vec<Result<()>> = ended.collect();
        result?;
        ended.into_iter().collect::<Result<()>>()?;
        Ok(run.history)
    }

    fn begin<'d>(
        &mut self,
        data: &'d dyn Dataset,
        evaluation: Option<&dyn Dataset>,
        training: Training,
    ) -> Result<Run<'d>> {
        let settings = &self.settings;
        let setting = |setting, message: &str| Err(Error::Setting { setting, message: message.into() });
        let last = if settings.drop_last { Last::Drop } else { Last::Fill };
        let loader = Loader::new(settings.batch_size).workers(settings.workers).last(last);
        let steps_per_epoch = loader.batches(data.len()) as u64;
        if steps_per_epoch == 0 {
            let message = format!(
                "{} items make no batch of {}; take smaller batches, or let the last one be filled up (drop_last)",
                data.len(),
                settings.batch_size
            );
            return setting("data", &message);
        }
        let whole = settings.epochs.saturating_mul(steps_per_epoch);
        if whole >= u64::from(u32::MAX) {
            return setting("epochs", "the run has more steps than there are numbers for, 2^32 - 1");
        }
        if let Some((_, Every::Steps(0))) = settings.checkpoint {
            return setting("checkpoint_every", "found 0 steps, expected at least 1");
        }
        let rates = self.rate.of(whole, settings.epochs)?;
        let scalars = self.scalars.of(whole)?;
        let own = resume::settings(settings, self.cut()?.0, data, (&rates, &scalars), whole)?;
        let outputs = training.outputs();
        let plan =
            Plan::with_options(&training.batched.graph, &outputs, self.device.caps(), &self.plan_options())?;
        let weights =
            self.weights.as_ref().ok_or_else(|| Error::Graph("the trainer has no weights".into()))?;
        let mut session = Session::new(&self.device, plan, weights)?;
        let (mut history, mut losses) = (History::default(), Losses::default());
        if let Some(path) = settings.resumes_from() {
            let notes = session.load_checkpoint(path)?;
            (history.epochs, losses) = resume::resumed(path, &notes, &own)?;
        }
        for &output in &outputs {
            session.record(output, KEPT)?;
        }
        history.first_step = session.step_number().into();
        history.batch_size = settings.batch_size;
        history.unit.clone_from(&settings.unit);
        if let (Some((path, _)), true) = (&settings.checkpoint, self.is_first_rank()) {
            file::check_writable(path)?;
            session.check_checkpoint(path, &resume::notes(&own, &history, losses))?;
        }
        let steps_of = self.steps_of(session, data, evaluation, &training.followed, &own)?;
        let mut run = Run {
            inputs: training.batched.inputs,
            loss: training.loss,
            rate: training.rate,
            followed: training.followed.into_iter().zip(self.followed.iter().map(|m| m.name())).collect(),
            loader,
            data,
            steps_per_epoch,
            steps: settings.max_steps.map_or(whole, |most| most.min(whole)),
            settings: own,
            losses,
            clock: Clock::default(),
            fetched: Instant::now(),
            pending: 0,
            last_rate: 0.0,
            steps_of,
            rates,
            scalars: scalars
                .into_iter()
                .zip(training.scalars)
                .map(|((name, of), at)| (at, name, of))
                .collect(),
            history,
        };
        run.history.followed = run.followed.iter().map(|(_, name)| (name.clone(), Vec::new())).collect();
        // A plateau's rate follows from the epochs so far.
        for epoch in &run.history.epochs {
            run.rates.ended(epoch.figure("loss").unwrap_or(epoch.training_loss));
        }
        Ok(run)
    }

    /// Tells the callbacks of the run.
    fn tell_begin(&mut self, run: &mut Run<'_>, figures: Vec<String>) -> Result<()> {
        let begin = Begin {
            epochs: self.settings.epochs,
            steps_per_epoch: run.steps_per_epoch,
            steps: run.steps,
            first_step: run.history.first_step,
            batch_size: self.settings.batch_size,
            unit: self.settings.unit.clone(),
            earlier: run.history.epochs.clone(),
            figures,
        };
        let mut stop = None;
        for callback in self.callbacks() {
            if let Flow::Stop(reason) = callback.begin(&begin)? {
                stop.get_or_insert(reason);
            }
        }
        run.history.stopped = self.agreed_stop(stop)?;
        Ok(())
    }

    fn run_epochs(&mut self, run: &mut Run<'_>, evaluation: Option<&dyn Dataset>) -> Result<()> {
        // An epoch whose last step was run just before a checkpoint still has to be evaluated.
        let mut number = run.history.epochs.len() as u64;
        while number * run.steps_per_epoch < run.steps && run.history.stopped.is_none() {
            let end = ((number + 1) * run.steps_per_epoch).min(run.steps);
            self.steps_until(run, number, end)?;
            self.end_epoch(run, number, evaluation)?;
            run.losses = Losses::default();
            number += 1;
        }
        // After the last checkpoint, from which a longer run would go on with the statistics that it had.
        if self.settings.population_statistics {
            self.measure_population(run.data)?;
        }
        if run.history.losses.is_empty() || self.settings.population_statistics {
            run.history.evaluated = evaluation.map(|data| self.evaluate(data)).transpose()?;
        }
        let steps = run.steps_of.session().step_number();
        if u64::from(steps) < self.settings.epochs * run.steps_per_epoch {
            run.history.stopped.get_or_insert_with(|| format!("after {steps} steps, as was asked"));
        }
        run.history.counters = run.steps_of.session().counters();
        run.history.exchanged = run.steps_of.exchanged();
        run.history.samples_per_second = run.clock.samples_per_second(self.settings.batch_size);
        Ok(())
    }

    /// Runs the steps of epoch `number` up to step `end` of the run.
    fn steps_until(&mut self, run: &mut Run<'_>, number: u64, end: u64) -> Result<()> {
        let first = number * run.steps_per_epoch;
        let done = u64::from(run.steps_of.session().step_number());
        if done >= end {
            return Ok(());
        }
        let order = Order::shuffled(run.data.len(), self.settings.seed, number)?;
        let (order, loader, batches) = if self.is_shared() {
            self.shared_loader(&order, run.steps_per_epoch as usize)?
        } else {
            (order, run.loader.clone(), 1)
        };
        let numbers = (done - first) as usize * batches..(end - first) as usize * batches;
        run.clock.go_on();
        loader.run(run.data, &order, numbers, |batch| {
            let step = u64::from(run.steps_of.session().step_number());
            let rate = run.rates.rate(step, number)?;
            run.last_rate = rate.into();
            let completed = run.steps_of.run(|session| {
                feed::write(session, &run.inputs, batch)?;
                for (scalar, name, schedule) in &run.scalars {
                    session.write_scalar(*scalar, scheduled(name, schedule, step)?)?;
                }
                session.write_scalar(run.rate, rate)
            })?;
            if !completed {
                return Ok(());
            }
            run.pending += 1;
            if run.history.first_step_at.is_none() || run.clock.begins_after_next() {
                run.steps_of.session().wait()?;
                run.history.first_step_at.get_or_insert_with(Instant::now);
            }
            run.clock.step();
            if run.pending == KEPT || run.fetched.elapsed() >= FETCH_EVERY {
                self.fetch(run, number)?;
            }
            if let Some((_, Every::Steps(every))) = self.settings.checkpoint
                && (step + 1).is_multiple_of(every)
                && step + 1 < end
            {
                self.fetch(run, number)?;
                self.save(run)?;
            }
            Ok(())
        })?;
        run.steps_of.session().wait()?;
        run.clock.pause();
        self.fetch(run, number)
    }

    /// Reads the values recorded since the last time.
    fn fetch(&mut self, run: &mut Run<'_>, number: u64) -> Result<()> {
        let losses = run.steps_of.session().recorded(run.loss)?;
        let losses = losses.as_f32().unwrap_or_default();
        for (at, (value, _)) in run.followed.iter().enumerate() {
            let read = run.steps_of.session().recorded(*value)?.to_f64();
            run.history.followed[at].1.extend(read);
        }
        (run.fetched, run.pending) = (Instant::now(), 0);
        if self.settings.watch {
            run.steps_of.session().check_finite()?;
        }
        let step = u64::from(run.steps_of.session().step_number());
        if let Some(bad) = losses.iter().position(|loss| !loss.is_finite()) {
            let at = step - losses.len() as u64 + bad as u64 + 1;
            return Err(Error::Diverged { step: at, loss: losses[bad], rate: run.last_rate as f32 });
        }
        // One after the other, so that the sum does not depend on when it was read.
        losses.iter().for_each(|&loss| run.losses.sum += f64::from(loss));
        run.losses.count += losses.len() as u64;
        run.history.losses.extend_from_slice(losses);
        let progress = Progress {
            epoch: number + 1,
            step,
            losses,
            learning_rate: run.last_rate,
            samples_per_second: run.clock.samples_per_second(self.settings.batch_size),
        };
        self.callbacks().iter_mut().try_for_each(|callback| callback.progress(&progress))
    }

    fn end_epoch(&mut self, run: &mut Run<'_>, number: u64, evaluation: Option<&dyn Dataset>) -> Result<()> {
        let evaluation = evaluation.map(|data| self.evaluate(data)).transpose()?;
        let epoch = Epoch {
            number: number + 1,
            steps: run.steps_of.session().step_number().into(),
            learning_rate: run.last_rate,
            training_loss: run.losses.mean(),
            evaluation,
        };
        run.rates.ended(epoch.figure("loss").unwrap_or(epoch.training_loss));
        run.history.epochs.push(epoch.clone());
        let weights = self.weights()?;
        let epochs = self.settings.epochs;
        let end = EpochEnd { epoch: &epoch, epochs, weights: &weights, history: &run.history };
        let told: Vec<Result<Flow>> =
            self.callbacks().iter_mut().map(|callback| callback.epoch(&end)).collect();
        // Whatever a callback says, the epoch was run.
        self.save(run)?;
        let mut stop = None;
        for flow in told {
            if let Flow::Stop(reason) = flow?
                && number + 1 < epochs
            {
                stop.get_or_insert(reason);
            }
        }
        if let Some(reason) = self.agreed_stop(stop)? {
            run.history.stopped.get_or_insert(reason);
        }
        Ok(())
    }

    /// The callbacks that are told: all of them on the first rank, and none on others.
    fn callbacks(&mut self) -> &mut [Box<dyn Callback>] {
        let told = if self.is_first_rank() { self.callbacks.len() } else { 0 };
        &mut self.callbacks[..told]
    }

    /// Writes a checkpoint, if asked for.
    fn save(&self, run: &mut Run<'_>) -> Result<()> {
        let Some((path, _)) = self.settings.checkpoint.as_ref().filter(|_| self.is_first_rank()) else {
            return Ok(());
        };
        let mut history = run.history.clone();
        // An epoch that ended early is run to its end if the run is resumed.
        let ended = history
            .epochs
            .last()
            .is_some_and(|epoch| epoch.steps == u64::from(run.steps_of.session().step_number()));
        let partial =
            history.epochs.pop_if(|epoch| epoch.steps < epoch.number * run.steps_per_epoch).is_some();
        let losses = if ended && !partial { Losses::default() } else { run.losses };
        run.steps_of.session().save_checkpoint_with(path, &resume::notes(&run.settings, &history, losses))
    }
}

/// Fails if the data to evaluate with has other fields than the training data.
fn check_alike(data: &dyn Dataset, evaluation: &dyn Dataset) -> Result<()> {
    let (expected, found) = (data.fields(), evaluation.fields());
    if let Some(i) = (0..expected.len().max(found.len())).find(|&i| expected.get(i) != found.get(i)) {
        let told = |field: Option<&Field>| {
            field.map_or_else(|| "no field".to_owned(), |f| format!("{} {}{}", f.name, f.dtype, f.shape))
        };
        let (found, expected) = (told(found.get(i)), told(expected.get(i)));
        let message =
            format!("field {i} to evaluate with is {found}, expected {expected} as in the training data");
        return Err(Error::Setting { setting: "evaluation", message });
    }
    Ok(())
}
