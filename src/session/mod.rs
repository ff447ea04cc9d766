//! The session: a plan on a device. It builds pipelines, buffers and bind groups once; `step.rs` runs them. Only this
//! module and `device/` name `wgpu`.

#[cfg(not(target_arch = "wasm32"))]
mod capture;
mod checkpoint;
mod embed;
mod every_mask;
mod inputs;
mod monte_carlo;
#[cfg(not(target_arch = "wasm32"))]
mod parallel;
mod profile;
mod read;
mod rebuild;
mod record;
mod step;
#[cfg(test)]
mod tests;
mod upload;
mod verify;
mod watch;

pub use crate::not_finite::{NodeFault, NotFinite, SourceFault, SourceKind};
pub use monte_carlo::Estimate;
#[cfg(not(target_arch = "wasm32"))]
pub use parallel::{DataParallel, Exchanged, ParallelOptions};
pub use profile::{Bound, Clock, Profile, ProfiledDispatch, ProfiledNode};
pub use rebuild::{Recovery, Snapshot};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use verify::{Expected, Mismatch, compare};
pub use verify::{Verified, difference, tolerance};
pub use watch::kernels as watch_kernels;

use crate::device::{Ahead, Buffer, Device, Pipelines, Signal};
use crate::error::Result;
use crate::graph::{Source, Value};
use crate::plan::{Place, Plan};
use crate::tensor::HostSlice;
use crate::weights::Weights;
use record::Record;
use std::collections::VecDeque;
use std::sync::Arc;
use upload::Uploads;

/// Submissions that may be in flight. A step past this number waits for the oldest.
const IN_FLIGHT: usize = 3;

/// A submission that may not be finished.
#[derive(Clone, Debug)]
struct InFlight {
    index: wgpu::SubmissionIndex,
    /// Number of its step.
    step: u32,
    /// What the driver ends, where the library does not poll.
    done: Arc<Signal>,
}

/// Counts of a session's work since it was created.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Counters {
    /// Steps run.
    pub steps: u64,
    /// Kernel launches.
    pub dispatches: u64,
    /// Command buffers submitted.
    pub submits: u64,
    /// Bytes uploaded.
    pub bytes_uploaded: u64,
    /// Bytes read back.
    pub bytes_read_back: u64,
    /// Buffers allocated since the session was created, for reading back, recording and writing ahead.
    pub allocations: u64,
}

/// A plan that runs on a device.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Device, Graph, Plan, Session, Weights};
///
/// let mut g = Graph::new();
/// let x = g.input("x", [3])?;
/// let y = g.exp(x)?;
/// let device = Device::open()?;
/// let weights = Weights::init(&device, &g, 0)?; // none here
/// let mut session = Session::new(&device, Plan::new(&g, &[y], device.caps())?, &weights)?;
/// session.write(x, &[0.0, 1.0, 2.0])?;
/// session.step()?;
/// println!("{:?}", session.read(y)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session {
    device: Device,
    plan: Plan,
    weights: Weights,
    buffers: Vec<Buffer>,
    pipelines: Pipelines,
    bind_groups: Vec<wgpu::BindGroup>,
    uploads: Uploads,
    records: Vec<Record>,
    /// Staging memory of [`Session::read_into`].
    readback: Option<wgpu::Buffer>,
    watch: Option<watch::Watch>,
    /// Submissions that may not be finished.
    in_flight: VecDeque<InFlight>,
    step: u32,
    /// Whether only a part of the step `step` was submitted.
    partly: bool,
    counters: Counters,
}

impl Session {
    /// Compiles the plan's kernels, allocates its buffers and binds them. `weights` hold the parameters by
    /// name; several sessions may share them.
    ///
    /// # Errors
    /// Weights of another device; a plan for an adapter with larger limits; a parameter that is missing in
    /// the weights or has another shape there; a kernel that the driver refuses; not enough device memory; a
    /// lost device.
    pub fn new(device: &Device, plan: Plan, weights: &Weights) -> Result<Session> {
        Session::open(device, plan, weights, Ahead::IfMany)
    }

    /// [`Session::new`], while other threads wait for answers of the same device.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn new_aside(device: &Device, plan: Plan, weights: &Weights) -> Result<Session> {
        Session::open(device, plan, weights, Ahead::Aside)
    }

    /// [`Session::new`], whose first step compiles nothing.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn new_compiled(device: &Device, plan: Plan, weights: &Weights) -> Result<Session> {
        Session::open(device, plan, weights, Ahead::All)
    }

    fn open(device: &Device, plan: Plan, weights: &Weights, ahead: Ahead) -> Result<Session> {
        device.check()?;
        weights.check_device(device)?;
        plan.caps().check_within(device.caps())?;
        let kernels: Vec<_> = plan.dispatches().iter().map(|d| &d.kernel).collect();
        let pipelines = Pipelines::compile_for(device, &kernels, ahead)?;
        let mut buffers = Vec::with_capacity(plan.buffers().len());
        for buffer in plan.buffers() {
            let made = device.buffer(buffer.kind.name(), buffer.bytes)?;
            if let Some(value) = buffer.value
                && let Source::Constant(tensor) = &plan.graph().info(value).source
            {
                let bytes = HostSlice::from(tensor).bytes();
                let whole = bytes.len() - bytes.len() % 4;
                if whole > 0 {
                    device.write(&made, 0, &bytes[..whole])?;
                }
                if whole < bytes.len() {
                    // Whole words are written, and the last one of bytes may be partly empty.
                    let mut word = [0; 4];
                    word[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
                    device.write(&made, whole as u64, &word)?;
                }
            }
            buffers.push(made);
        }
        let mut bind_groups = Vec::with_capacity(plan.dispatches().len());
        for (i, dispatch) in plan.dispatches().iter().enumerate() {
            let mut entries = Vec::with_capacity(dispatch.bindings.len());
            for binding in &dispatch.bindings {
                let (buffer, offset) = match binding.place {
                    Place::Owned { buffer, offset, .. } => (&buffers[buffer], offset),
                    Place::Stored { value, .. } if binding.run.is_empty() => {
                        weights.place(plan.graph(), &[value])?
                    }
                    Place::Stored { .. } => {
                        let roots: Vec<Value> =
                            binding.run.iter().map(|&v| plan.graph().storage(v)).collect();
                        weights.place(plan.graph(), &roots)?
                    }
                };
                entries.push(wgpu::BindGroupEntry {
                    binding: binding.index,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: &buffer.raw,
                        offset,
                        size: wgpu::BufferSize::new(binding.place.bytes()),
                    }),
                });
            }
            bind_groups.push(device.guarded(|raw| {
                raw.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some(dispatch.kernel.name()),
                    layout: pipelines.layout(i),
                    entries: &entries,
                })
            })?);
        }
        let watch = watch::Watch::new(device, &plan, weights, &buffers)?;
        let uploads = Uploads::new(device, &plan)?;
        Ok(Session {
            device: device.clone(),
            weights: weights.clone(),
            buffers,
            pipelines,
            bind_groups,
            uploads,
            records: Vec::new(),
            readback: None,
            watch,
            in_flight: VecDeque::with_capacity(IN_FLIGHT + 1),
            step: 0,
            partly: false,
            counters: Counters::default(),
            plan,
        })
    }

    /// The plan that this session runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Counts of the session's work so far.
    pub fn counters(&self) -> Counters {
        let allocations = self.counters.allocations + self.uploads.allocations;
        Counters { allocations, ..self.counters }
    }

    /// Number of the next step. Dropout, among others, depends on it. A step counts once it is submitted, so
    /// the number agrees with the weights whatever errors there were; see [`Session::save_checkpoint`].
    pub fn step_number(&self) -> u32 {
        self.step
    }

    /// Sets the number of the next step. [`Session::load_checkpoint`] does so itself.
    pub fn set_step_number(&mut self, step: u32) {
        self.step = step;
    }

    /// Waits until the GPU has finished every step.
    ///
    /// # Errors
    /// A fault of the device.
    pub fn wait(&mut self) -> Result<()> {
        self.device.wait().map_err(|e| e.of_step(self.last_step()))?;
        self.in_flight.clear();
        Ok(())
    }

    /// [`Session::wait`] without blocking.
    ///
    /// # Errors
    /// As [`Session::wait`].
    pub async fn wait_async(&mut self) -> Result<()> {
        self.device.wait_async().await.map_err(|e| e.of_step(self.last_step()))?;
        self.in_flight.clear();
        Ok(())
    }

    /// Number of the last step that was submitted and may still be in flight.
    fn last_step(&self) -> Option<u32> {
        self.in_flight.back().map(|last| last.step)
    }
}
