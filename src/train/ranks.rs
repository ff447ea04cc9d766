//! Ranks that train together: what a trainer asks of them, and the steps of a run, by one rank or shared.

use super::Trainer;
use crate::data::{Dataset, Loader, Order};
use crate::error::{Error, Result};
use crate::graph::Value;
use crate::hash::fnv1a;
use crate::parallel::{Communicator, Threads, gather, shares};
use crate::session::{DataParallel, Exchanged, ParallelOptions, Session};
use crate::tensor::HostSlice;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Items whose contents tell data sets apart.
const LOOKED_AT: usize = 16;
/// Time between signs of life of a rank that others wait for.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// The ranks of a trainer. Its steps and its evaluations share them.
#[derive(Clone, Debug)]
pub(super) struct Ranks {
    all: Arc<Mutex<Box<dyn Communicator>>>,
}

impl Ranks {
    pub(super) fn new(communicator: Box<dyn Communicator>) -> Ranks {
        Ranks { all: Arc::new(Mutex::new(communicator)) }
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Communicator>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lists of all ranks, one behind the other.
    pub(super) fn gather(&self, what: &str, own: &[f32]) -> Result<Vec<f32>> {
        gather(&mut **self.lock(), what, own)
    }
}

impl Communicator for Ranks {
    fn rank(&self) -> usize {
        self.lock().rank()
    }

    fn ranks(&self) -> usize {
        self.lock().ranks()
    }

    fn local_rank(&self) -> usize {
        self.lock().local_rank()
    }

    fn exchange(&mut self, partner: usize, send: &[f32], receive: &mut [f32]) -> Result<()> {
        self.lock().exchange(partner, send, receive)
    }

    fn give_up(&mut self, error: &Error) {
        self.lock().give_up(error);
    }
}

/// The steps of a run.
#[derive(Debug)]
pub(super) enum Steps {
    /// Each is one batch of one session.
    Whole(Box<Session>),
    /// Each is several micro-batches, of this rank and of others.
    Shared(Box<DataParallel>),
}

impl Steps {
    pub(super) fn session(&mut self) -> &mut Session {
        match self {
            Steps::Whole(session) => session,
            Steps::Shared(training) => training.session(),
        }
    }

    /// Runs the next batch, or micro-batch of this rank, that `write` writes. Whether that completed a step.
    pub(super) fn run(&mut self, write: impl FnOnce(&mut Session) -> Result<()>) -> Result<bool> {
        match self {
            Steps::Whole(session) => {
                write(session)?;
                session.step()?;
                Ok(true)
            }
            Steps::Shared(training) => training.micro_batch(write),
        }
    }

    /// What was exchanged with other ranks.
    pub(super) fn exchanged(&self) -> Exchanged {
        match self {
            Steps::Whole(_) => Exchanged::default(),
            Steps::Shared(training) => training.exchanged(),
        }
    }
}

impl Trainer {
    /// Trains together with other ranks, which run the same program over the same data: each takes its share of every
    /// batch, and all come to the same weights ([`DataParallel`]).
    ///
    /// The batch size and the rate are those of the whole, whatever the number of ranks. Data order, dropout and
    /// augmentation follow from a sample's place in the whole batch. Evaluations are shared as well, and every rank gets
    /// their figures over all data. Callbacks are told on rank 0 alone, which writes checkpoints too; where one of them stops
    /// the run, all ranks stop. [`Trainer::fit`] and [`Trainer::evaluate`] wait for the other ranks, so all of them call these
    /// in the same order. A rank whose run fails ends the others' ([`Communicator::give_up`]).
    ///
    /// ```no_run
    /// # #[cfg(feature = "mpi")]
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::parallel::{Communicator, Mpi};
    /// use wgrad::{Device, DeviceOptions};
    /// # use wgrad::train::{Supervised, Trainer};
    /// # fn f(task: Supervised, data: &wgrad::data::Images) -> wgrad::Result<()> {
    /// // Started by: mpirun -n 4 PROGRAM
    /// Mpi::run(|ranks| {
    ///     let device = Device::open_with(&DeviceOptions::default().local_rank(ranks.local_rank()))?;
    ///     let mut trainer = Trainer::new(&device, task)
    ///         .optimizer(|g, loss, rate| wgrad::optim::Sgd::new(rate).minimize(g, loss))
    ///         .batch_size(256)
    ///         .micro_batches(8)
    ///         .ranks(ranks);
    ///     trainer.fit(data, None)?;
    ///     if trainer.is_first_rank() {
    ///         trainer.weights()?.save("weights.safetensors")?;
    ///     }
    ///     wgrad::Result::Ok(())
    /// })
    /// # }
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "mpi"))]
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn ranks(mut self, ranks: impl Communicator + 'static) -> Self {
        self.ranks = Some(Ranks::new(Box::new(ranks)));
        self
    }

    /// Sets in how many micro-batches a batch is cut: a multiple of the number of ranks that divides the batch size, and
    /// that number by default.
    ///
    /// Gradients are summed in an order that follows from the number of micro-batches, so 1, 2, 4 or 8 ranks train to the
    /// same weights to the bit with one number of them. A rank with several runs them one after the other, in the memory
    /// of one. Batch norm normalises each by itself.
    #[must_use]
    pub fn micro_batches(mut self, micro_batches: usize) -> Self {
        self.settings.micro_batches = Some(micro_batches);
        self
    }

    /// Whether this is rank 0 or the only one: the one that writes files and talks to people.
    pub fn is_first_rank(&self) -> bool {
        self.ranks.as_ref().is_none_or(|ranks| ranks.rank() == 0)
    }

    /// Whether steps are shared or cut.
    pub(super) fn is_shared(&self) -> bool {
        self.ranks.is_some() || self.settings.micro_batches.is_some_and(|number| number != 1)
    }

    fn number_of_ranks(&self) -> usize {
        self.ranks.as_ref().map_or(1, Communicator::ranks)
    }

    /// The number of micro-batches, and the samples of each.
    pub(super) fn cut(&self) -> Result<(usize, usize)> {
        let ranks = self.number_of_ranks();
        if !ranks.is_power_of_two() {
            return Err(Error::Parallel(format!(
                "{ranks} ranks, expected a power of two; start 2, 4, 8 or so"
            )));
        }
        let micro_batches = self.settings.micro_batches.unwrap_or(ranks);
        let batch = self.settings.batch_size;
        if micro_batches == 0 || !batch.is_multiple_of(micro_batches) {
            let message = format!(
                "found {micro_batches}, which does not divide the batch size of {batch}; see Trainer::micro_batches"
            );
            return Err(Error::Setting { setting: "micro_batches", message });
        }
        Ok((micro_batches, batch / micro_batches))
    }

    /// The order and the loader of this rank's micro-batches over an epoch of so many steps, and how many a step has.
    pub(super) fn shared_loader(&self, order: &Order, steps: usize) -> Result<(Order, Loader, usize)> {
        let (micro_batches, samples) = self.cut()?;
        let rank = self.ranks.as_ref().map_or(0, Communicator::rank);
        let own = shares(rank, self.number_of_ranks(), micro_batches)?;
        let order = order.share(self.settings.batch_size, steps, own.start * samples..own.end * samples)?;
        Ok((order, Loader::new(samples).workers(self.settings.workers), own.len()))
    }

    /// The part of so many batches that this rank evaluates.
    pub(super) fn part_of(&self, batches: usize) -> Range<usize> {
        let Some(ranks) = &self.ranks else { return 0..batches };
        let (rank, ranks) = (ranks.rank(), ranks.ranks());
        batches * rank / ranks..batches * (rank + 1) / ranks
    }

    /// Whether this rank evaluates what is behind all whole batches.
    pub(super) fn is_last_rank(&self) -> bool {
        self.ranks.as_ref().is_none_or(|ranks| ranks.rank() + 1 == ranks.ranks())
    }

    /// Whether rank 0 stops, and why: what it says, every rank does.
    pub(super) fn agreed_stop(&self, own: Option<String>) -> Result<Option<String>> {
        let Some(ranks) = self.ranks.as_ref().filter(|ranks| ranks.ranks() > 1) else { return Ok(own) };
        let stops = ranks.gather("whether to stop", &[f32::from(u8::from(own.is_some()))])?[0] != 0.0;
        Ok(if stops { Some(own.unwrap_or_else(|| "as rank 0 says".into())) } else { None })
    }

    /// The steps of a run: of this session alone, or shared with other ranks, which have to have the same settings and
    /// data.
    pub(super) fn steps_of(
        &self,
        session: Session,
        data: &dyn Dataset,
        evaluation: Option<&dyn Dataset>,
        followed: &[Value],
        settings: &[(String, String)],
    ) -> Result<Steps> {
        if !self.is_shared() {
            return Ok(Steps::Whole(Box::new(session)));
        }
        // A metric of one element is a sum over samples.
        let mut options = ParallelOptions::new(self.cut()?.0).sums(followed.to_vec());
        for (name, setting) in settings {
            options = options.alike(name, setting);
        }
        options = options.alike("data set", digest(data)?);
        let evaluation = evaluation.map(digest).transpose()?;
        options = options.alike("data set to evaluate with", evaluation.unwrap_or_else(|| "none".into()));
        let names: Vec<String> = self.metrics.iter().map(|metric| metric.name()).collect();
        options = options.alike("metrics", names.join(", "));
        let (averaged, population) = (self.settings.averaged, self.settings.population_statistics);
        options = options.alike("averaged", averaged.to_string());
        options = options.alike("population statistics", population.to_string());
        let steps = (self.settings.epochs, self.settings.max_steps);
        options = options.alike("epochs and steps", format!("{steps:?}"));
        Ok(Steps::Shared(Box::new(match &self.ranks {
            Some(ranks) => DataParallel::new(session, ranks.clone(), &options)?,
            None => DataParallel::new(session, Threads::new(1)?.remove(0), &options)?,
        })))
    }

    /// Does something on rank 0 before the others do it. That may take longer than a rank waits for another, so rank 0
    /// calls the function that it is given now and then.
    pub(super) fn first_rank_first<T>(
        &self,
        what: &str,
        mut work: impl FnMut(&mut dyn FnMut()) -> Result<T>,
    ) -> Result<T> {
        let Some(ranks) = self.ranks.as_ref().filter(|ranks| ranks.ranks() > 1) else {
            return work(&mut || {});
        };
        if ranks.rank() > 0 {
            while ranks.gather(what, &[])?.first() != Some(&1.0) {}
            return work(&mut || {});
        }
        let (mut last, mut failed) = (Instant::now(), Ok(()));
        let done = work(&mut || {
            if failed.is_ok() && last.elapsed() > SIGN_OF_LIFE {
                failed = ranks.gather(what, &[0.0]).map(drop);
                last = Instant::now();
            }
        })?;
        failed?;
        ranks.gather(what, &[1.0])?;
        Ok(done)
    }
}

/// What tells data sets apart: their length, all labels that can be had without reading, and some of their items.
fn digest(data: &dyn Dataset) -> Result<String> {
    let looked_at = data.len().min(LOOKED_AT);
    let order = Order::sequential(data.len())?;
    let labels: Vec<u64> =
        (0..data.len()).map(|index| data.label(index).map_or(u64::MAX, |l| l as u64)).collect();
    let mut digest = fnv1a(bytemuck::cast_slice(&labels));
    for i in 0..looked_at {
        let at = i * data.len() / looked_at;
        Loader::new(1).workers(0).run(data, &order, at..at + 1, |batch| {
            for column in batch.columns() {
                digest = fnv1a(bytemuck::cast_slice(&[digest, fnv1a(HostSlice::from(column).bytes())]));
            }
            Ok(())
        })?;
    }
    Ok(format!("{} items ({digest:016x})", data.len()))
}
