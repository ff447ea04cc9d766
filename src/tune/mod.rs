//! The tuner: measures which kernel variant of each operator is the fastest on a device, for the shapes of a graph.
//!
//! `problem.rs` has the nodes to measure, with real inputs and the reference's outputs; `isolated.rs` runs copies of one
//! node by one variant; `poison.rs` spoils workgroup memory before that; `measure.rs` compares and times the variants; `step.rs` times the choices within the whole step;
//! `store.rs` is the file of choices. Choices as data, which plans read, are in `plan/`.

mod isolated;
mod measure;
mod poison;
mod problem;
mod step;
mod store;

use crate::device::Device;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::plan::{Plan, PlanOptions, Time, TunedChoice, Tuning, TuningKey};
use poison::Poison;
use problem::Problems;
use std::fmt;
use std::path::{Path, PathBuf};
use store::Store;

/// Measures kernel variants on a device.
///
/// For every operator of a plan that has more than one variant, each variant first runs on a real step's inputs, several
/// copies side by side. One that differs from the reference by more than the operator's tolerance, or that does not give
/// the same bits every time, is refused. The others are timed by the device's timestamps, on more memory than its
/// caches hold. The fastest is kept only if it is also faster than the default within the whole step.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// # use wgrad::{Graph, Value};
/// use wgrad::tune::Tuner;
/// use wgrad::{Device, Plan, PlanOptions};
///
/// # fn tune(graph: &Graph, loss: Value) -> wgrad::Result<()> {
/// let device = Device::open()?;
/// let tuned = Tuner::new(&device)
///     .file("kernels.json") // what is known from earlier runs, and where new choices go
///     .progress(|progress| eprint!("\r{progress}"))
///     .run(graph, &[loss], &PlanOptions::default())?;
/// println!("{tuned}"); // each variant's time, and what was refused
/// let options = PlanOptions::default().tuned(tuned.tuning);
/// let plan = Plan::with_options(graph, &[loss], device.caps(), &options)?;
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
pub struct Tuner<'a> {
    device: &'a Device,
    file: Option<PathBuf>,
    progress: Option<Report<'a>>,
}

/// A function that is told the progress.
type Report<'a> = Box<dyn FnMut(&Progress) + 'a>;

impl fmt::Debug for Tuner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tuner").field("device", self.device).field("file", &self.file).finish_non_exhaustive()
    }
}

/// How far the tuner is.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Operators and shapes that are done.
    pub done: usize,
    /// All of them.
    pub total: usize,
    /// The operator that is being measured; `None` while the whole step is.
    pub operator: Option<TuningKey>,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.operator {
            Some(key) => write!(f, "tuning {}/{}: {key}", self.done + 1, self.total),
            None => write!(f, "tuning: the whole step"),
        }
    }
}

/// What the tuner found. Its `Display` is a table.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Tuned {
    /// The choices for this graph and, with a file, all others that it holds for this adapter and driver.
    pub tuning: Tuning,
    /// The choices that were measured now; none where all were known.
    pub measured: Vec<TuningKey>,
    /// Seconds of the whole step, by default and as chosen, if it was measured.
    pub step: Option<[f64; 2]>,
}

impl fmt::Display for Tuned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for key in &self.measured {
            let Some(TunedChoice { variant, seconds, refused }) = self.tuning.get(key) else { continue };
            write!(f, "{key}: {variant}")?;
            let mut ranked: Vec<_> = seconds.iter().collect();
            ranked.sort_by(|a, b| a.1.total_cmp(b.1));
            for (i, (name, &seconds)) in ranked.into_iter().enumerate() {
                write!(f, "{} {name} {}", if i == 0 { ";" } else { "," }, Time(seconds))?;
            }
            writeln!(f)?;
            for (name, message) in refused {
                writeln!(f, "  refused {name}: {}", crate::file::printable(message))?;
            }
        }
        match self.step {
            Some([default, chosen]) => {
                writeln!(f, "whole step: {} by default, {} as chosen", Time(default), Time(chosen))
            }
            None => writeln!(f, "nothing was measured: {} choices were known", self.tuning.len()),
        }
    }
}

impl<'a> Tuner<'a> {
    /// A tuner for this device, without a file.
    pub fn new(device: &'a Device) -> Self {
        Tuner { device, file: None, progress: None }
    }

    /// Reads known choices from this file, if there is one, and writes new ones to it. The file keeps those of other
    /// adapters and drivers.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.file = Some(path.as_ref().to_owned());
        self
    }

    /// Calls `report` before each operator is measured.
    #[must_use]
    pub fn progress(mut self, report: impl FnMut(&Progress) + 'a) -> Self {
        self.progress = Some(Box::new(report));
        self
    }

    /// Measures the operators of a graph's plan for which the file has no choice. `options` are those that the plan will
    /// have; variants that they ask for by name stay. Memory is needed for a second session of the graph, and for the
    /// inputs of single nodes.
    ///
    /// # Errors
    /// As [`Plan::with_options`](crate::Plan::with_options) and [`Session::new`](crate::Session::new); a file that is
    /// none of choices, or can't be written; a node all of whose variants are wrong on this device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run(&mut self, graph: &Graph, outputs: &[Value], options: &PlanOptions) -> Result<Tuned> {
        let mut store = match &self.file {
            Some(path) => Store::load(path)?,
            None => Store::default(),
        };
        let known = store.of(self.device.summary());
        let by_default = options.clone().untuned();
        let plan = Plan::with_options(graph, outputs, self.device.caps(), &by_default)?;
        let Some(mut problems) = Problems::new(self.device, graph, plan, options, &known)? else {
            return Ok(Tuned { tuning: known, measured: Vec::new(), step: None });
        };
        // Before it takes long, and only now: a file that has everything may be read-only.
        if let Some(path) = &self.file {
            crate::file::check_writable(path)?;
        }
        let total = problems.keys().len();
        let mut found = Tuning::default();
        let mut poison = Poison::new(self.device)?;
        while let Some(problem) = problems.next_one()? {
            let operator = Some(problem.key.clone());
            self.report(Progress { done: found.len(), total, operator });
            found.insert(problem.key.clone(), measure::choose(self.device, &problem, &mut poison)?);
        }
        self.report(Progress { done: total, total, operator: None });
        let measured: Vec<TuningKey> = found.choices().map(|(key, _)| key.clone()).collect();
        let mut tuning = known;
        let step = problems.in_the_step(graph, outputs, options, &mut found, &tuning)?;
        tuning.choices.extend(found.choices);
        if let Some(path) = &self.file {
            // Another program may have added its choices meanwhile.
            store = Store::load(path)?;
            let mut all = store.of(self.device.summary());
            all.choices.extend(tuning.choices.clone());
            store.put(self.device.summary(), &all);
            store.save(path)?;
        }
        Ok(Tuned { tuning, measured, step: Some(step) })
    }

    fn report(&mut self, progress: Progress) {
        if let Some(report) = &mut self.progress {
            report(&progress);
        }
    }
}

impl PlanOptions {
    /// Takes for each operator the kernel variant that is the fastest on this device, as [`Tuner`] measures it. What
    /// `file` holds is not measured again, and what is measured is added to it: with the same file, a plan is the same
    /// every time.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// # use wgrad::{Graph, Value};
    /// use wgrad::{Device, Plan, PlanOptions};
    ///
    /// # fn plan(graph: &Graph, loss: Value) -> wgrad::Result<Plan> {
    /// let device = Device::open()?;
    /// let options = PlanOptions::default().tune(&device, graph, &[loss], "kernels.json")?;
    /// Plan::with_options(graph, &[loss], device.caps(), &options)
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Tuner::run`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn tune(
        self,
        device: &Device,
        graph: &Graph,
        outputs: &[Value],
        file: impl AsRef<Path>,
    ) -> Result<PlanOptions> {
        let tuned = Tuner::new(device).file(file).run(graph, outputs, &self)?;
        Ok(self.tuned(tuned.tuning))
    }
}
