//! The run: data and device, sessions, the loop over steps, evaluation, and the files at the end.

use crate::Outcome;
use crate::cli::Options;
use crate::network::{self, Step, Training};
use crate::progress::{Progress, thousands};
use crate::report::Record;
use crate::speed::Speed;
use crate::verify::verify;
use crate::{checkpoint, plot, say, tune};
use std::path::Path;
use std::time::{Duration, Instant};
use wgrad::data::{Images, Split};
use wgrad::file::printable_path;
use wgrad::optim::Schedule;
use wgrad::plan::Watch;
use wgrad::session::Counters;
use wgrad::{Device, DeviceOptions, Error, HostData, HostTensor, Plan, PlanOptions, Session, Weights, file};

/// The most steps between fetches of recorded values.
const RECORDED_STEPS: usize = 256;
/// Time between fetches: short enough to watch the loss, long enough to cost nothing.
const FETCH_EVERY: Duration = Duration::from_millis(500);
/// First steps that the speed leaves out: drivers still allocate, and processors change their clock.
const WARM_UP: u64 = 5;
/// Steps that a profile measures.
const PROFILED_STEPS: usize = 20;

/// Runs everything that the options request.
pub fn run(options: &Options, started: Instant) -> Outcome<()> {
    // Report a path that can't be written now, not after an hour.
    let outputs =
        [&options.save, &options.checkpoint, &options.plot, &options.report, &options.profile, &options.tune];
    for path in outputs.into_iter().flatten() {
        file::check_writable(path)?;
    }
    let (device, data) = open(options)?;
    let adapter = device.summary();
    say!("adapter: {adapter}");
    say!(
        "data: {} training and {} test images, {} x {}, {} classes",
        thousands(data.train.len() as f64),
        thousands(data.test.len() as f64),
        data.train.rows(),
        data.train.columns(),
        data.train.classes()
    );
    let net = network::network(options, &data.train);
    let training = network::training(options, &net, &data.train)?;
    let evaluation = network::evaluation(options, &net, &data.test)?;
    let mut outputs = vec![training.loss];
    if options.plot.is_some() {
        outputs.push(training.step.correct);
    }
    let mut how = PlanOptions::default();
    if options.watch {
        how = how.watch(Watch::new());
    }
    if let Some(file) = &options.tune {
        how = tune::tune(&device, file, (&training, &outputs), &evaluation, how, options)?;
    }
    let plan = Plan::with_options(&training.step.graph, &outputs, device.caps(), &how)?;
    let evaluation_plan = Plan::with_options(&evaluation.graph, &[evaluation.correct], device.caps(), &how)?;
    let weights = initial_weights(&device, &training, options)?;
    if options.verify {
        verify(&device, &plan, &training, &data.train, options)?;
    }
    // The schedule spans all epochs: a run that is stopped early is the start of the whole run.
    let whole_run = options.epochs.saturating_mul(data.train.len().div_ceil(options.batch_size) as u64);
    let record = Record::new(adapter, options.batch_size, &plan);
    let mut session = Session::new(&device, plan, &weights)?;
    checkpoint::resume(&mut session, options, &data.train)?;
    checkpoint::check(&session, options, &data.train)?;
    let mut trainer = Trainer {
        first: session.step_number().into(),
        record,
        session,
        device: &device,
        weights: &weights,
        options,
        training,
        evaluation,
        evaluation_plan,
        evaluator: None,
        speed: Speed::default(),
        fetched: Instant::now(),
        schedule: options.schedule.of(options.learning_rate, whole_run.max(1))?,
        pending: 0,
        started,
    };
    trainer.train(&data)?;
    let mut written = write_files(options, &weights, &trainer.record)?;
    if let Some(path) = &options.profile {
        // Its steps change the weights, which have been saved by now.
        trainer.profile(path, &data.train)?;
        written.push(format!("profile in {}", printable_path(path)));
    }
    finish(options, &trainer.record, &written);
    Ok(())
}

/// Both halves of the data set.
struct Data {
    train: Images,
    test: Images,
}

/// Opens the device and reads the data at the same time.
fn open(options: &Options) -> Result<(Device, Data), Error> {
    let load = || -> Result<Data, Error> {
        let train = Images::load(&options.data, Split::Train)?;
        let test = Images::load(&options.data, Split::Test)?;
        let size = |data: &Images| format!("{} x {}", data.rows(), data.columns());
        if size(&train) != size(&test) {
            return Err(Error::Data {
                path: options.data.clone(),
                message: format!(
                    "test images are {}, expected {} as the training images are",
                    size(&test),
                    size(&train)
                ),
            });
        }
        Ok(Data { train, test })
    };
    std::thread::scope(|scope| {
        let loading = scope.spawn(load);
        let mut opening = DeviceOptions::default().compiling(Progress::compiling(options.progress));
        if let Some(name) = &options.adapter {
            opening = opening.adapter(name);
        }
        let device = Device::open_with(&opening);
        let data = loading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((device?, data?))
    })
}

/// Weights from the seed or from a file.
pub fn initial_weights(device: &Device, training: &Training, options: &Options) -> Result<Weights, Error> {
    let weights = Weights::init(device, &training.step.graph, options.seed)?;
    if let Some(path) = &options.load {
        weights.load(path)?;
    }
    Ok(weights)
}

struct Trainer<'a> {
    device: &'a Device,
    weights: &'a Weights,
    options: &'a Options,
    training: Training,
    session: Session,
    /// Steps of the run before it was resumed.
    first: u64,
    evaluation: Step,
    evaluation_plan: Plan,
    /// Made at the first evaluation, so that the first step does not wait for it.
    evaluator: Option<Session>,
    record: Record,
    speed: Speed,
    /// The learning rate over the steps of all epochs.
    schedule: Schedule,
    /// Time of the last fetch of recorded values, and the steps since then.
    fetched: Instant,
    pending: usize,
    started: Instant,
}

impl Trainer<'_> {
    fn train(&mut self, data: &Data) -> Outcome<()> {
        let options = self.options;
        let steps_per_epoch = data.train.len().div_ceil(options.batch_size) as u64;
        let all = options.epochs.saturating_mul(steps_per_epoch);
        let steps = options.max_steps.map_or(all, |limit| limit.min(all));
        self.session.record(self.training.loss, RECORDED_STEPS)?;
        if options.plot.is_some() {
            self.session.record(self.training.step.correct, RECORDED_STEPS)?;
        }
        let progress = Progress::new(options.progress, steps.saturating_sub(self.first));
        if steps <= self.first {
            if options.plot.is_some() {
                return Err("--plot: the run has been trained to its end, so there are no curves; leave it out or raise --epochs or --max-steps".into());
            }
            self.save_checkpoint(&data.train)?;
            self.evaluate(&data.test)?;
            return Ok(());
        }
        for epoch in self.first / steps_per_epoch..steps.div_ceil(steps_per_epoch) {
            progress.epoch(epoch + 1, options.epochs);
            let before = self.record.losses.len();
            self.train_epoch(epoch, steps, &data.train, &progress)?;
            self.save_checkpoint(&data.train)?;
            let accuracy = self.evaluate(&data.test)?;
            let losses = &self.record.losses[before..];
            let mean = losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64;
            progress.say(&format!(
                "epoch {}/{}: mean training loss {mean:.4}, test accuracy {:.2} %{}",
                epoch + 1,
                options.epochs,
                100.0 * accuracy,
                if self.done() < (epoch + 1) * steps_per_epoch { " (stopped by --max-steps)" } else { "" }
            ));
        }
        progress.finish();
        let Counters { steps, dispatches, submits, .. } = self.session.counters();
        self.record.images_per_second = self.speed.images_per_second(options.batch_size);
        self.record.dispatches_per_step = dispatches as f64 / steps.max(1) as f64;
        self.record.submits_per_step = submits as f64 / steps.max(1) as f64;
        Ok(())
    }

    /// Steps of the run so far. The session's own number has 32 bits.
    fn done(&self) -> u64 {
        self.first + self.session.counters().steps
    }

    /// Writes a checkpoint, if requested. If the weights are not finite, an earlier checkpoint stays.
    fn save_checkpoint(&mut self, data: &Images) -> Outcome<()> {
        let Some(path) = &self.options.checkpoint else { return Ok(()) };
        self.check_finite()?;
        Ok(checkpoint::save(path, &mut self.session, self.options, data)?)
    }

    /// Ends the run if the numerics watch found anything.
    fn check_finite(&mut self) -> Outcome<()> {
        if !self.options.watch {
            return Ok(());
        }
        match self.session.not_finite()? {
            None => Ok(()),
            // A fault from before the step does not depend on the learning rate.
            Some(found) if found.source.is_some() => Err(found.to_string().into()),
            Some(found) => {
                let rate = self.options.learning_rate;
                Err(format!("training diverged: {found}; --learning-rate was {rate:?}").into())
            }
        }
    }

    /// Trains on every image once, or until `steps` have been run in all.
    fn train_epoch(&mut self, epoch: u64, steps: u64, data: &Images, progress: &Progress) -> Outcome<()> {
        let mut batches = data.shuffled(self.options.seed, epoch).batches(self.options.batch_size)?;
        // Skip the batches of this epoch that were run before the run was resumed.
        for _ in epoch * batches.count() as u64..self.done() {
            batches.next_batch();
        }
        self.speed.go_on();
        while self.done() < steps
            && let Some(batch) = batches.next_batch()
        {
            self.session.write(self.training.step.images, batch.images)?;
            self.session.write(self.training.step.labels, batch.labels)?;
            let rate = self.schedule.rate(self.done()) as f32;
            self.session.write_scalar(self.training.learning_rate, rate)?;
            self.session.step()?;
            self.pending += 1;
            let done = self.session.counters().steps;
            if done == 1 {
                self.session.wait()?;
                self.record.seconds_to_first_step = Some(self.started.elapsed().as_secs_f64());
            }
            if done == WARM_UP {
                self.session.wait()?;
                self.speed = Speed::default();
                self.speed.go_on();
            } else if done > WARM_UP {
                self.speed.steps += 1;
            }
            progress.step();
            if self.pending == RECORDED_STEPS || self.fetched.elapsed() >= FETCH_EVERY {
                self.fetch(progress)?;
            }
        }
        self.session.wait()?;
        self.speed.pause();
        self.fetch(progress)
    }

    /// Fetches the values recorded since the last fetch.
    fn fetch(&mut self, progress: &Progress) -> Outcome<()> {
        let losses = self.session.recorded(self.training.loss)?;
        self.record.losses.extend_from_slice(losses.as_f32().unwrap_or_default());
        if self.options.plot.is_some() {
            let correct = self.session.recorded(self.training.step.correct)?;
            self.record.correct.extend_from_slice(counts(&correct));
        }
        (self.fetched, self.pending) = (Instant::now(), 0);
        if let Err(error) = self.check_finite() {
            progress.finish();
            return Err(error);
        }
        if let Some(step) = self.record.losses.iter().position(|loss| !loss.is_finite()) {
            progress.finish();
            return Err(format!(
                "the loss of step {} is {}: training diverged; try a --learning-rate below {}",
                self.first + step as u64 + 1,
                self.record.losses[step],
                self.options.learning_rate
            )
            .into());
        }
        if let Some(&loss) = self.record.losses.last() {
            let speed = self.speed.images_per_second(self.options.batch_size);
            progress.measured(loss, speed, self.options.batch_size);
        }
        Ok(())
    }

    /// Profiles steps on a first batch, after one step to warm up.
    fn profile(&mut self, path: &Path, data: &Images) -> Outcome<()> {
        let mut batches = data.shuffled(self.options.seed, 0).batches(self.options.batch_size)?;
        if let Some(batch) = batches.next_batch() {
            self.session.write(self.training.step.images, batch.images)?;
            self.session.write(self.training.step.labels, batch.labels)?;
        }
        self.session.write_scalar(self.training.learning_rate, self.options.learning_rate)?;
        self.session.step()?;
        let profile = self.session.profile(PROFILED_STEPS)?;
        say!("{}", profile.to_string().trim_end());
        profile.save_trace(path)?;
        Ok(())
    }

    /// The fraction of correct predictions on the test images.
    fn evaluate(&mut self, data: &Images) -> Outcome<f64> {
        let Step { images, labels, correct, .. } = self.evaluation;
        let session = match &mut self.evaluator {
            Some(session) => session,
            none => none.insert(Session::new(self.device, self.evaluation_plan.clone(), self.weights)?),
        };
        let mut batches = data.in_order().padded_batches(self.options.batch_size)?;
        session.record(correct, batches.count())?;
        while let Some(batch) = batches.next_batch() {
            session.write(images, batch.images)?;
            session.write(labels, batch.labels)?;
            session.step()?;
        }
        let recorded = session.recorded(correct)?;
        if self.options.watch {
            session.check_finite()?;
        }
        let right: u64 = counts(&recorded).iter().map(|&count| u64::from(count)).sum();
        let accuracy = right as f64 / data.len() as f64;
        self.record.tests.push((self.session.counters().steps, accuracy));
        Ok(accuracy)
    }
}

/// Writes the files of a run and returns a description of each.
fn write_files(options: &Options, weights: &Weights, record: &Record) -> Outcome<Vec<String>> {
    let mut written = Vec::new();
    if let Some(path) = &options.save {
        weights.save(path)?;
        written.push(format!("weights in {}", printable_path(path)));
    }
    if let Some(path) = &options.checkpoint {
        written.push(format!("checkpoint in {}", printable_path(path)));
    }
    if let Some(path) = &options.plot {
        plot::draw(path, record)?;
        written.push(format!("curves in {}", printable_path(path)));
    }
    if let Some(path) = &options.report {
        record.write(path)?;
        written.push(format!("report in {}", printable_path(path)));
    }
    Ok(written)
}

/// Prints the result of the run.
fn finish(options: &Options, record: &Record, written: &[String]) {
    let accuracy = record.tests.last().map_or(0.0, |&(_, accuracy)| 100.0 * accuracy);
    let trained = match (record.losses.len(), record.images_per_second) {
        (0, _) => "not trained".to_owned(),
        (1, None) => format!("1 step of {} images", options.batch_size),
        (steps, None) => format!("{} steps of {} images", thousands(steps as f64), options.batch_size),
        (steps, Some(speed)) => format!(
            "{} steps of {} images at {} images/s",
            thousands(steps as f64),
            options.batch_size,
            thousands(speed)
        ),
    };
    let files = if written.is_empty() { String::new() } else { format!("; {}", written.join(", ")) };
    say!("done: test accuracy {accuracy:.2} %, {trained}{files}");
}

fn counts(tensor: &HostTensor) -> &[u32] {
    match &tensor.data {
        HostData::U32(counts) => counts,
        _ => &[],
    }
}
