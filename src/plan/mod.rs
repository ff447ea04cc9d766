//! The plan: a graph turned into a flat list of dispatches over buffers, and checked against an adapter's limits.
//! Planning needs no GPU.

mod arena;
mod draft;
mod fuse;
mod gradients;
mod groups;
mod layout;
mod limits;
mod options;
mod order;
mod place;
mod precision;
mod print;
mod slots;
mod time;
mod traffic;
mod tuning;
mod types;
mod watch;

pub use arena::BufferKind;
pub(crate) use arena::{Arenas, updated_in_place};
pub use fuse::Fusion;
pub use gradients::Bucket;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use gradients::Meeting;
pub(crate) use limits::fold;
pub use options::PlanOptions;
pub use precision::Precision;
pub use time::Submit;
pub use traffic::Traffic;
pub(crate) use tuning::Time;
pub use tuning::{TunedChoice, Tuning, TuningKey};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use tuning::{offered, read_outputs};
pub use types::{Binding, BufferPlan, Dispatch, Place, Step};
pub use watch::Watch;
pub(crate) use watch::{REPORT_WORDS, Watched, Watching, scaled};

use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::op::Caps;
use draft::{Drafted, draft};
use layout::{Layout, in_order};
use place::Placed;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A graph as dispatches over buffers.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::op::AdapterKind;
/// use wgrad::{Caps, Graph, Mode, Plan, nn, nn::Layer};
///
/// let mut g = Graph::new();
/// let images = g.input("images", [64, 3, 32, 32])?;
/// let logits = nn::models::resnet18(3, 10).forward(&mut g, images, Mode::Eval)?;
/// // Without a GPU: what a step would take on a discrete one with the limits that WebGPU guarantees.
/// let plan = Plan::new(&g, &[logits], &Caps::webgpu_defaults(AdapterKind::Discrete))?;
/// println!("{plan}"); // kernels, buffers, bytes
/// assert!(plan.device_bytes().values().sum::<u64>() < 200 << 20);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) graph: Arc<Graph>,
    pub(crate) arenas: Arenas,
    pub(crate) places: BTreeMap<Value, Place>,
    caps: Caps,
    precision: Precision,
    outputs: Vec<Value>,
    steps: Vec<Step>,
    dispatches: Vec<Dispatch>,
    buffers: Vec<BufferPlan>,
    activation_bound: u64,
    groups: Vec<Range<usize>>,
    passes: Vec<Range<usize>>,
    submits: Vec<Submit>,
    longest_submit: Option<Duration>,
    pub(crate) watching: Option<Watching>,
}

impl Plan {
    /// Plans the nodes that `outputs` and all updates in place (running statistics, optimizer
    /// steps) need.
    ///
    /// # Errors
    /// A binding, buffer or workgroup count past the adapter's limits, with the node's name and, if a smaller batch
    /// helps, the largest that fits; a value of another graph; constant labels out of range.
    pub fn new(graph: &Graph, outputs: &[Value], caps: &Caps) -> Result<Plan> {
        Plan::with_options(graph, outputs, caps, &PlanOptions::default())
    }

    /// [`Plan::new`] with options.
    ///
    /// # Errors
    /// As [`Plan::new`]; a variant that can't compute a node's shape, or an option for a node or operator that the
    /// plan does not have; `caps` that no adapter has.
    pub fn with_options(
        graph: &Graph,
        outputs: &[Value],
        caps: &Caps,
        options: &PlanOptions,
    ) -> Result<Plan> {
        caps.check()?;
        graph.check_plannable(outputs)?;
        let graph = fuse::run(graph, outputs, caps, options);
        options.check_used(&graph)?;
        let arenas = Arenas::new(&graph, caps.page_bytes())?;
        let read: BTreeSet<Value> = graph
            .nodes()
            .flat_map(|(_, node)| node.inputs.iter().copied())
            .chain(outputs.iter().copied())
            .collect();

        let longest_submit = time::longest(options, caps.kind);
        let watch = options.watch.as_ref();
        let mut watch = watch.map(|watch| watch::Builder::new(watch, &graph, &arenas, outputs, caps));
        let mut nodes = Vec::with_capacity(graph.nodes().len());
        for (id, node) in graph.nodes() {
            let read: Vec<bool> = node.outputs.iter().map(|v| read.contains(v)).collect();
            let pages = arenas.runs.get(&id).map_or(&[][..], Vec::as_slice);
            let hook = watch.as_ref().and_then(|watch| watch.hook(id, node));
            let short = |options: &PlanOptions| {
                let mut drafted = draft(&graph, node, caps, options, &read, pages, hook)?;
                let temporaries = &drafted.temporaries;
                time::split(&graph, node, &mut drafted.drafts, temporaries, caps, longest_submit)?;
                Ok::<_, Error>(drafted)
            };
            // A measured choice may be too long a kernel for a submission.
            let mut drafted = match short(options) {
                Err(_) if !options.is_untuned() => short(&options.clone().untuned())?,
                drafted => drafted?,
            };
            if let Some(watch) = &mut watch {
                watch.add(id, node, &mut drafted, &read, pages);
            }
            nodes.push(drafted);
        }
        let mixed = match options.precision {
            Precision::F32 => None,
            Precision::Mixed => {
                caps.check_f16()?;
                let scanned = watch.iter().flat_map(watch::Builder::scanned);
                let kept = outputs.iter().copied().chain(scanned).map(|value| graph.storage(value)).collect();
                let halves = precision::halve(&graph, &arenas, &mut nodes, &kept, options.f32_gradients)?;
                let graph = graph.clone().with_f16(&halves);
                let arenas = Arenas::new(&graph, caps.page_bytes())?;
                Some((graph, arenas))
            }
        };
        let (planned, arenas) = mixed.as_ref().map_or((&graph, &arenas), |(graph, arenas)| (graph, arenas));
        let watched = watch.as_ref().map(|watch| &watch.pinned[..]);
        let Layout { order, mut placer, packing, activation_bound } =
            Layout::choose(planned, arenas, &nodes, outputs, watched, caps)?;
        let mut placed = placer.place(outputs, &packing);
        let watching = watch.map(|watch| watch.placed(&mut placed.buffers));
        let ranges = placer.nodes.clone();
        let dispatches = placer.bind(&placed, watching.as_ref(), caps)?;
        let Placed { buffers, places, .. } = placed;
        let graph = Arc::new(in_order(mixed.map_or(graph, |(graph, _)| graph), &order));
        let arenas = Arenas::new(&graph, caps.page_bytes())?;
        let steps = graph.nodes().zip(order).zip(ranges).map(|(((node, _), number), dispatches)| {
            let Drafted { variant, why, .. } = &nodes[number];
            Step { node, variant: *variant, why: why.clone(), dispatches }
        });
        let steps = steps.collect();
        let [groups, passes] = groups::groups_of(&dispatches, &arenas);
        let submits = time::submits(&dispatches, caps.kind, longest_submit);
        let plan = Plan {
            caps: caps.clone(),
            precision: options.precision,
            outputs: outputs.to_vec(),
            steps,
            dispatches,
            buffers,
            activation_bound,
            watching,
            places,
            arenas,
            graph,
            groups,
            passes,
            submits,
            longest_submit,
        };
        limits::check(&plan)?;
        Ok(plan)
    }

    /// The graph that runs: the given one, without dead nodes and with fused ones.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Limits and traits of the adapter it was planned for.
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// The floats that it keeps what it computes in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The values that can be read after a step.
    pub fn outputs(&self) -> &[Value] {
        &self.outputs
    }

    /// The nodes in order, with their kernel variants.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// All dispatches of a step, in order.
    pub fn dispatches(&self) -> &[Dispatch] {
        &self.dispatches
    }

    /// The dispatches in groups, in order. A GPU may run the dispatches of a group at the same time; between two groups
    /// it waits for all earlier work. A group ends where a dispatch uses a buffer that the group has written, or writes
    /// one that it has used.
    ///
    /// A plan for a GPU has independent nodes next to each other, and in memory where they don't meet.
    pub fn groups(&self) -> &[Range<usize>] {
        &self.groups
    }

    /// The compute passes of a step, in order: one or more groups each.
    pub fn passes(&self) -> &[Range<usize>] {
        &self.passes
    }

    /// The parts in which a step is submitted, in order: one, unless a GPU's driver might end so long a submission
    /// ([`PlanOptions::longest_submit`]).
    pub fn submits(&self) -> &[Submit] {
        &self.submits
    }

    /// What one submission may take by the plan's estimate; nothing limits it if this is `None`.
    pub fn longest_submit(&self) -> Option<Duration> {
        self.longest_submit
    }

    /// The buffers that the plan owns. Parameters and state are the weights' own.
    pub fn buffers(&self) -> &[BufferPlan] {
        &self.buffers
    }

    /// Device memory by kind, in bytes, including weights. Kinds without memory are left out.
    pub fn device_bytes(&self) -> BTreeMap<BufferKind, u64> {
        let mut bytes = BTreeMap::new();
        for buffer in &self.buffers {
            *bytes.entry(buffer.kind).or_default() += buffer.bytes;
        }
        for page in self.arenas.pages.iter().filter(|page| page.kind != BufferKind::Gradients) {
            *bytes.entry(page.kind).or_default() += page.bytes;
        }
        bytes
    }

    /// The least memory that activations and scratch could take, in bytes: the most that is alive at once.
    pub fn activation_lower_bound(&self) -> u64 {
        self.activation_bound
    }

    /// The least device memory this plan could take, in bytes: [`Plan::activation_lower_bound`] plus everything that
    /// a step needs whole, which is weights, their gradients, state, inputs and constants.
    pub fn device_lower_bound(&self) -> u64 {
        let bytes = self.device_bytes();
        let fixed = bytes.iter().filter(|(kind, _)| **kind != BufferKind::Activations);
        fixed.map(|(_, bytes)| bytes).sum::<u64>() + self.activation_bound
    }

    /// Where a value lies, with views and updates in place resolved. `None` for a value that no dispatch touches, and
    /// for one of another graph.
    pub fn place(&self, value: Value) -> Option<Place> {
        if !self.graph.owns(value) {
            return None;
        }
        self.places.get(&self.graph.storage(value)).copied()
    }
}
