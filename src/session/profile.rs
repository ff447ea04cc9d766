//! Profiles: the time of every dispatch of real steps, with its FLOPs and bytes.
//!
//! `table.rs` prints a profile, `trace.rs` writes it as a trace file, `queries.rs` holds the timestamps.

mod queries;
mod table;
mod trace;

use super::Session;
use crate::device::{AdapterSummary, Peaks};
use crate::error::{Error, Result};
use crate::instant::Instant;
use crate::plan::{Submit, Traffic};
use queries::Queries;
use std::ops::Range;

/// The clock that measured the times.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Clock {
    /// The device's own timestamps, before and after each dispatch within one submission.
    Timestamps,
    /// The processor's clock around a submission for each dispatch. Times include submitting and waiting.
    Wall {
        /// Seconds that an empty submission took.
        overhead: f64,
    },
}

/// Times of a session's steps, node by node. [`Session::profile`] measures it; its `Display` is a table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Profile {
    /// The adapter.
    pub adapter: AdapterSummary,
    /// The clock that measured the times.
    pub clock: Clock,
    /// The adapter's measured peaks.
    pub peaks: Peaks,
    /// The nodes that have dispatches, in the order of the step.
    pub nodes: Vec<ProfiledNode>,
    /// For each step measured, when each of its dispatches ran.
    spans: Vec<Vec<Span>>,
}

/// A node's cost in one step.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct ProfiledNode {
    /// The node's name.
    pub node: String,
    /// Operator.
    pub operator: &'static str,
    /// The kernel variant that ran.
    pub variant: &'static str,
    /// Median over the steps, of all its dispatches together.
    pub seconds: f64,
    /// Floating-point operations, a multiply-add counted as two.
    pub flops: u64,
    /// Bytes that its kernels move, and the least possible.
    pub traffic: Traffic,
    /// Its dispatches.
    pub dispatches: Vec<ProfiledDispatch>,
}

/// A dispatch's cost in one step.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct ProfiledDispatch {
    /// Name of the kernel.
    pub kernel: &'static str,
    /// Workgroups in x, y and z.
    pub workgroups: [u32; 3],
    /// Median over the steps.
    pub seconds: f64,
}

/// The peak that a node is nearer to, which limits it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Bound {
    /// Multiply-adds.
    Compute,
    /// Bytes to and from memory.
    Memory,
}

/// Start and end of a dispatch, in nanoseconds since an arbitrary moment.
type Span = Range<u64>;

impl ProfiledNode {
    /// The larger of the node's shares of the two peaks, and which peak it is. A share of memory can exceed 1
    /// where caches serve the node.
    pub fn share_of_peak(&self, peaks: &Peaks) -> (f64, Bound) {
        let seconds = self.seconds.max(1e-9);
        let compute = self.flops as f64 / seconds / peaks.flops_per_second;
        let memory = self.traffic.total() as f64 / seconds / peaks.bytes_per_second;
        if compute >= memory { (compute, Bound::Compute) } else { (memory, Bound::Memory) }
    }
}

impl Profile {
    /// Number of steps measured.
    pub fn steps(&self) -> usize {
        self.spans.len()
    }

    /// Seconds of all nodes together.
    pub fn seconds(&self) -> f64 {
        self.nodes.iter().map(|node| node.seconds).sum()
    }
}

impl Session {
    /// Runs `steps` steps and times every dispatch, by the device's timestamps, or as
    /// [`Session::profile_by_wall_clock`] where the device has none. They are real steps: weights change as
    /// in [`Session::step`]. The profile holds medians, so take several steps. Run one step before, so that
    /// compiling is not measured.
    ///
    /// The first profile on a device also measures the adapter's peaks, about a second.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// # use wgrad::{Result, Session};
    /// # fn measure(session: &mut Session) -> Result<()> {
    /// session.step()?;
    /// let profile = session.profile(10)?;
    /// println!("{profile}"); // a table of nodes
    /// profile.save_trace("step.json")?; // for https://ui.perfetto.dev
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No steps; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn profile(&mut self, steps: usize) -> Result<Profile> {
        crate::device::block_on(self.profile_async(steps))
    }

    /// [`Session::profile`] without blocking for the GPU. The first profile of a device measures its peaks
    /// ([`Device::peaks_async`](crate::Device::peaks_async)). If the future is dropped before it is done, a part of a step
    /// may have been run, and saving the weights is then refused.
    ///
    /// # Errors
    /// As [`Session::profile`].
    pub async fn profile_async(&mut self, steps: usize) -> Result<Profile> {
        self.profile_by(steps, self.device.has_timestamps()).await
    }

    /// Times `steps` steps by timestamps, or by the processor's clock.
    async fn time(&mut self, steps: usize, timestamps: bool, spans: &mut Vec<Vec<Span>>) -> Result<Clock> {
        if timestamps {
            let queries = Queries::new(&self.device, self.plan.dispatches().len())?;
            for _ in 0..steps {
                spans.push(self.step_by_timestamps(&queries).await?);
            }
            return Ok(Clock::Timestamps);
        }
        let epoch = Instant::now();
        for _ in 0..steps {
            spans.push(self.step_by_wall_clock(epoch).await?);
        }
        Ok(Clock::Wall { overhead: self.submission_overhead().await? })
    }

    /// Runs `steps` steps and returns, for each of [`Plan::steps`](crate::Plan::steps), the seconds that it took in
    /// each, by the best clock there is. They are real steps.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn seconds_by_node(&mut self, steps: usize) -> Result<Vec<Vec<f64>>> {
        self.wait()?;
        let mut spans = Vec::with_capacity(steps);
        let timestamps = self.device.has_timestamps();
        crate::device::block_on(self.time(steps, timestamps, &mut spans))?;
        let seconds = |span: &Span| (span.end - span.start) as f64 * 1e-9;
        let of_step = |dispatches: &Range<usize>| {
            spans.iter().map(|step| step[dispatches.clone()].iter().map(seconds).sum()).collect()
        };
        Ok(self.plan.steps().iter().map(|step| of_step(&step.dispatches)).collect())
    }

    /// [`Session::profile`] by the processor's clock, with a submission and a wait for each dispatch.
    ///
    /// # Errors
    /// As [`Session::profile`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn profile_by_wall_clock(&mut self, steps: usize) -> Result<Profile> {
        crate::device::block_on(self.profile_by(steps, false))
    }

    async fn profile_by(&mut self, steps: usize, timestamps: bool) -> Result<Profile> {
        if steps == 0 {
            return Err(Error::Setting { setting: "steps", message: "a profile takes at least 1".into() });
        }
        let peaks = self.device.peaks_async().await?;
        self.wait_async().await?;
        let mut spans = Vec::with_capacity(steps);
        let clock = self.time(steps, timestamps, &mut spans).await?;
        let nodes = self.profiled_nodes(&spans);
        Ok(Profile { adapter: self.device.summary().clone(), clock, peaks, nodes, spans })
    }

    async fn step_by_wall_clock(&mut self, epoch: Instant) -> Result<Vec<Span>> {
        self.begin_async(1).await?;
        self.submit_part(Session::encode_inputs)?;
        let mut spans = Vec::with_capacity(self.plan.dispatches().len());
        let mut waited = self.wait_async().await;
        while waited.is_ok() && spans.len() < self.plan.dispatches().len() {
            let (i, mut start) = (spans.len(), 0);
            self.submit_part(|session| {
                session.encode(i..i + 1);
                start = epoch.elapsed().as_nanos() as u64;
            })?;
            waited = self.wait_async().await;
            spans.push(start..epoch.elapsed().as_nanos() as u64);
        }
        // Finish the step: half of one would leave weights that no step number describes.
        self.complete(spans.len())?;
        waited?;
        Ok(spans)
    }

    async fn step_by_timestamps(&mut self, queries: &Queries) -> Result<Vec<Span>> {
        self.begin_async(1).await?;
        let all = self.plan.dispatches().len();
        for Submit { dispatches, .. } in self.plan.submits().to_vec() {
            let ends = dispatches.end == all;
            self.submit_part(|session| {
                if dispatches.start == 0 {
                    session.encode_inputs();
                }
                for i in dispatches {
                    session.encode_timed(i..i + 1, Some(queries.writes(i)));
                }
                if ends {
                    queries.resolve(session.uploads.encoder(&session.device));
                    session.encode_records(0);
                }
            })?;
        }
        self.count_step();
        queries.read(&self.device).await
    }

    /// Seconds of an empty submission, which the wall clock adds to each dispatch.
    async fn submission_overhead(&mut self) -> Result<f64> {
        let mut seconds = Vec::new();
        for _ in 0..21 {
            let mut start = Instant::now();
            self.submit(|session| {
                session.encode(0..0);
                start = Instant::now();
            })?;
            self.wait_async().await?;
            seconds.push(start.elapsed().as_nanos() as u64);
        }
        Ok(median(&mut seconds))
    }

    fn profiled_nodes(&self, spans: &[Vec<Span>]) -> Vec<ProfiledNode> {
        let seconds = |dispatches: Range<usize>| {
            let length = |span: &Span| span.end - span.start;
            let mut steps: Vec<u64> =
                spans.iter().map(|step| step[dispatches.clone()].iter().map(length).sum()).collect();
            median(&mut steps)
        };
        let graph = self.plan.graph();
        let traffic = self.plan.traffic_by_step();
        let mut nodes = Vec::new();
        for (step, traffic) in self.plan.steps().iter().zip(traffic) {
            if step.dispatches.is_empty() {
                continue;
            }
            let node = graph.node_at(step.node);
            let inputs: Vec<_> = node.inputs.iter().map(|&v| &graph.info(v).ty).collect();
            let dispatches = step.dispatches.clone().map(|i| {
                let dispatch = &self.plan.dispatches()[i];
                ProfiledDispatch {
                    kernel: dispatch.kernel.name(),
                    workgroups: dispatch.workgroups,
                    seconds: seconds(i..i + 1),
                }
            });
            nodes.push(ProfiledNode {
                node: node.name.clone(),
                operator: node.operator.name(),
                variant: step.variant.name(),
                seconds: seconds(step.dispatches.clone()),
                flops: node.operator.flops(&inputs),
                traffic,
                dispatches: dispatches.collect(),
            });
        }
        nodes
    }
}

/// Median of nanoseconds, in seconds.
fn median(nanoseconds: &mut [u64]) -> f64 {
    nanoseconds.sort_unstable();
    let middle = nanoseconds.len() / 2;
    let twice = if nanoseconds.len() % 2 == 1 {
        2 * nanoseconds[middle]
    } else {
        nanoseconds[middle - 1] + nanoseconds[middle]
    };
    twice as f64 / 2e9
}
