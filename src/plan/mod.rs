//! The plan: a graph turned into a flat list of dispatches over buffers, checked against an
//! adapter's limits. Made without a GPU.

mod arena;
mod fuse;
mod limits;
mod options;
mod print;
mod slots;
mod traffic;
mod watch;

pub(crate) use arena::Arenas;
pub use arena::BufferKind;
pub use fuse::Fusion;
pub(crate) use limits::fold;
pub use options::PlanOptions;
pub use traffic::Traffic;
pub use watch::Watch;
pub(crate) use watch::{REPORT_WORDS, Watched, Watching};

use crate::error::{Error, Result};
use crate::graph::{Graph, Node, NodeId, Source, Value};
use crate::op::{Caps, Draft, Hook, LowerContext, Operand, run_bytes};
use crate::shader::{Access, Kernel};
use slots::Lifetime;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// A buffer that the plan owns.
#[derive(Clone, Debug)]
pub struct BufferPlan {
    /// What it holds.
    pub kind: BufferKind,
    /// Size in bytes.
    pub bytes: u64,
    /// For inputs and constants, the value it holds.
    pub value: Option<Value>,
}

/// Where an operand lies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// In a buffer of the plan.
    Owned {
        /// Number of the buffer.
        buffer: usize,
        /// Start, in bytes.
        offset: u64,
        /// Length, in bytes.
        bytes: u64,
    },
    /// In the weights, from the start of this parameter or state on.
    Stored {
        /// The first tensor.
        value: Value,
        /// Length, in bytes.
        bytes: u64,
    },
}

impl Place {
    /// Length, in bytes.
    pub fn bytes(&self) -> u64 {
        match *self {
            Place::Owned { bytes, .. } | Place::Stored { bytes, .. } => bytes,
        }
    }
}

/// What one binding of a dispatch gets.
#[derive(Clone, PartialEq, Debug)]
pub struct Binding {
    /// Number in the shader.
    pub index: u32,
    /// How the shader uses it.
    pub access: Access,
    /// Where it lies.
    pub place: Place,
    /// For a run in an arena: the tensors it holds, in order.
    pub run: Vec<Value>,
}

/// One launch of a kernel.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// The kernel.
    pub kernel: Kernel,
    /// What it binds, by binding number.
    pub bindings: Vec<Binding>,
    /// Workgroups in x, y and z.
    pub workgroups: [u32; 3],
    /// Floating-point operations.
    pub flops: u64,
}

/// A node and its dispatches.
#[derive(Clone, Debug)]
pub struct Step {
    /// The node.
    pub node: NodeId,
    /// The kernel variant.
    pub variant: &'static str,
    /// Why it was chosen.
    pub why: String,
    /// Its part of [`Plan::dispatches`]. Empty for a view.
    pub dispatches: Range<usize>,
}

/// A graph as dispatches over buffers.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) graph: Arc<Graph>,
    pub(crate) arenas: Arenas,
    pub(crate) places: BTreeMap<Value, Place>,
    caps: Caps,
    outputs: Vec<Value>,
    steps: Vec<Step>,
    dispatches: Vec<Dispatch>,
    buffers: Vec<BufferPlan>,
    activation_bound: u64,
    pub(crate) watching: Option<Watching>,
}

impl Plan {
    /// Plans the nodes that `outputs` and all updates in place (running statistics, optimizer
    /// steps) need.
    ///
    /// # Errors
    /// A binding, buffer or workgroup count past the adapter's limits, with the node's name and
    /// the largest batch that fits, if the batch is at fault; a value of another graph; constant labels that
    /// no class has.
    pub fn new(graph: &Graph, outputs: &[Value], caps: &Caps) -> Result<Plan> {
        Plan::with_options(graph, outputs, caps, &PlanOptions::default())
    }

    /// [`Plan::new`] with options.
    ///
    /// # Errors
    /// As [`Plan::new`]; a variant that does not apply, or that is asked for what the plan does not have; `caps`
    /// that no adapter has.
    pub fn with_options(
        graph: &Graph,
        outputs: &[Value],
        caps: &Caps,
        options: &PlanOptions,
    ) -> Result<Plan> {
        caps.check()?;
        graph.check_plannable(outputs)?;
        let graph = Arc::new(fuse::run(graph, outputs, caps, options));
        options.check_used(&graph)?;
        let arenas = Arenas::new(&graph, caps.max_binding_bytes.min(caps.max_buffer_bytes))?;
        let read: BTreeSet<Value> = graph
            .nodes()
            .flat_map(|(_, node)| node.inputs.iter().copied())
            .chain(outputs.iter().copied())
            .collect();

        let watch = options.watch.as_ref();
        let mut watch = watch.map(|watch| watch::Builder::new(watch, &graph, &arenas, outputs, caps));
        let mut builder = Builder::new(&graph, &arenas);
        let mut steps = Vec::new();
        for (id, node) in graph.nodes() {
            let start = builder.drafts.len();
            let read: Vec<bool> = node.outputs.iter().map(|v| read.contains(v)).collect();
            let pages = arenas.runs.get(&id).map_or(&[][..], Vec::as_slice);
            let hook = watch.as_ref().and_then(|watch| watch.hook(node));
            let mut drafted = draft(&graph, node, caps, options, &read, pages, hook)?;
            if let Some(watch) = &mut watch {
                watch.add(id, node, &mut drafted, &read, pages);
            }
            let Drafted { variant, why, drafts, temporaries, .. } = drafted;
            builder.add_node(drafts, &temporaries)?;
            steps.push(Step { node: id, variant, why, dispatches: start..builder.drafts.len() });
        }
        builder.pin(outputs);
        let activation_bound = slots::lower_bound(&builder.lifetimes);
        builder.pin(watch.as_ref().map_or(&[], |watch| &watch.pinned));
        let (mut buffers, places, temporaries) = builder.place(outputs, caps.max_buffer_bytes);
        let mut watching = watch.map(|watch| watch.watching);
        if let Some(watching) = &mut watching {
            (watching.counts, watching.report) = (buffers.len(), buffers.len() + 1);
            let new = |bytes| BufferPlan { kind: BufferKind::Watch, bytes, value: None };
            buffers.extend(watching.bytes().map(new));
        }
        let mut plan = Plan {
            caps: caps.clone(),
            outputs: outputs.to_vec(),
            steps,
            dispatches: Vec::new(),
            buffers,
            activation_bound,
            watching,
            places,
            arenas: arenas.clone(),
            graph: Arc::clone(&graph),
        };
        plan.dispatches = builder.finish(&plan, &temporaries)?;
        limits::check(&plan)?;
        Ok(plan)
    }

    /// The graph that runs: the one that was given, with what it does not need left out and nodes fused.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The adapter it was planned for.
    pub fn caps(&self) -> &Caps {
        &self.caps
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

    /// The buffers that the plan owns. Parameters and state are the weights' own.
    pub fn buffers(&self) -> &[BufferPlan] {
        &self.buffers
    }

    /// Device memory by kind, in bytes, weights included; kinds without memory are left out.
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

    /// The least memory that activations and scratch could take: the most bytes alive at once.
    pub fn activation_lower_bound(&self) -> u64 {
        self.activation_bound
    }

    /// The least device memory this plan could take, in bytes: [`Plan::activation_lower_bound`], and
    /// all of what every step needs whole: weights, their gradients, state, inputs and constants.
    pub fn device_lower_bound(&self) -> u64 {
        let bytes = self.device_bytes();
        let fixed = bytes.iter().filter(|(kind, _)| **kind != BufferKind::Activations);
        fixed.map(|(_, bytes)| bytes).sum::<u64>() + self.activation_bound
    }

    /// Where a value lies, views and updates in place resolved; `None` for a value that no
    /// dispatch touches, and for one of another graph.
    pub fn place(&self, value: Value) -> Option<Place> {
        if !self.graph.owns(value) {
            return None;
        }
        self.places.get(&self.graph.storage(value)).copied()
    }

    /// Where a count of the numerics watch lies.
    fn count_place(&self, number: usize) -> Place {
        let watching = self.watching.as_ref().expect("only a watched plan counts");
        Place::Owned { buffer: watching.counts, offset: number as u64 * watching.stride, bytes: 4 }
    }
}

fn live_nodes(graph: &Graph, outputs: &[Value]) -> Vec<NodeId> {
    let mut wanted: BTreeSet<Value> = outputs.iter().copied().collect();
    let nodes: Vec<_> = graph.nodes().collect();
    let mut live = Vec::new();
    for (id, node) in nodes.into_iter().rev() {
        if !node.operator.in_place().is_empty() || node.outputs.iter().any(|v| wanted.contains(v)) {
            wanted.extend(&node.inputs);
            live.push(id);
        }
    }
    live.reverse();
    live
}

/// A node's dispatches before they have places.
struct Drafted {
    variant: &'static str,
    why: String,
    drafts: Vec<Draft>,
    /// Bytes of each temporary.
    temporaries: Vec<u64>,
    /// Whether kernels count what is not finite of the first output.
    hooked: bool,
}

/// Chooses a node's kernel variant and records its dispatches. `read` says which outputs anything
/// reads. Kernels count by `hook` if all that store the first output can.
fn draft(
    graph: &Graph,
    node: &Node,
    caps: &Caps,
    options: &PlanOptions,
    read: &[bool],
    pages: &[Range<usize>],
    hook: Option<Hook>,
) -> Result<Drafted> {
    let (variant, why) = options.pick(graph, node, caps)?;
    let record = |hook| {
        let mut lower = LowerContext::new(graph, node, caps, variant, read, pages);
        lower.hook = hook;
        node.operator.lower(&mut lower)?;
        Ok::<_, Error>(lower)
    };
    let mut lower = record(hook)?;
    if lower.hooked.1 {
        lower = record(None)?;
    }
    let hooked = lower.hooked.0;
    Ok(Drafted { variant, why, drafts: lower.drafts, temporaries: lower.temporaries, hooked })
}

/// Collects dispatches and the lifetimes of what they touch.
struct Builder<'g> {
    graph: &'g Graph,
    arenas: &'g Arenas,
    drafts: Vec<Draft>,
    /// Memory that needs a slot: values by storage, and temporaries.
    lifetimes: Vec<Lifetime>,
    of_value: BTreeMap<Value, usize>,
    /// For each dispatch, the lifetimes of its node's temporaries.
    temporaries: Vec<Vec<usize>>,
    touched: BTreeSet<Value>,
}

impl<'g> Builder<'g> {
    fn new(graph: &'g Graph, arenas: &'g Arenas) -> Self {
        Builder {
            graph,
            arenas,
            drafts: Vec::new(),
            lifetimes: Vec::new(),
            of_value: BTreeMap::new(),
            temporaries: Vec::new(),
            touched: BTreeSet::new(),
        }
    }

    /// # Errors
    /// A kernel that binds what it does not declare.
    fn add_node(&mut self, drafts: Vec<Draft>, temporaries: &[u64]) -> Result<()> {
        let base = self.lifetimes.len();
        let first = self.drafts.len();
        self.lifetimes.extend(temporaries.iter().map(|&bytes| Lifetime::new(bytes)));
        let mine: Vec<usize> = (base..self.lifetimes.len()).collect();
        for (i, draft) in drafts.iter().enumerate() {
            for (operand, (_, access)) in draft.operands.iter().zip(declared(draft)?) {
                let now = first + i;
                match operand {
                    Operand::Temporary(t) => self.lifetimes[base + t].touch(now, access),
                    Operand::Count(_) => {}
                    Operand::Value(value) => self.touch_value(*value, now, access),
                    Operand::Run(values) => values.iter().for_each(|&v| self.touch_value(v, now, access)),
                }
            }
            self.temporaries.push(mine.clone());
        }
        self.drafts.extend(drafts);
        Ok(())
    }

    fn touch_value(&mut self, value: Value, now: usize, access: Access) {
        let root = self.graph.storage(value);
        self.touched.insert(root);
        let info = self.graph.info(root);
        if !matches!(info.source, Source::Node { .. }) || self.arenas.places.contains_key(&root) {
            return;
        }
        let lifetimes = &mut self.lifetimes;
        let index = *self.of_value.entry(root).or_insert_with(|| {
            lifetimes.push(Lifetime::new(info.ty.bytes()));
            lifetimes.len() - 1
        });
        self.lifetimes[index].touch(now, access);
    }

    /// Keeps what the user may read alive to the end.
    fn pin(&mut self, outputs: &[Value]) {
        for &output in outputs {
            if let Some(&index) = self.of_value.get(&self.graph.storage(output)) {
                self.lifetimes[index].keep_until(self.drafts.len());
            }
        }
    }

    /// Gives everything a place: buffers, places of values, places of temporaries by lifetime.
    fn place(
        &mut self,
        outputs: &[Value],
        most: u64,
    ) -> (Vec<BufferPlan>, BTreeMap<Value, Place>, Vec<Place>) {
        self.touched.extend(outputs.iter().map(|&v| self.graph.storage(v)));
        let packing = slots::pack(&self.lifetimes, most);
        let mut buffers: Vec<BufferPlan> = packing
            .bytes
            .iter()
            .map(|&bytes| BufferPlan { kind: BufferKind::Activations, bytes, value: None })
            .collect();
        let by_lifetime: Vec<Place> = self
            .lifetimes
            .iter()
            .zip(&packing.places)
            .map(|(lifetime, &(buffer, offset))| Place::Owned { buffer, offset, bytes: lifetime.bytes() })
            .collect();
        let mut gradient_page = BTreeMap::new();
        for (i, page) in self.arenas.pages.iter().enumerate() {
            if page.kind == BufferKind::Gradients {
                gradient_page.insert(i, buffers.len());
                buffers.push(BufferPlan { kind: page.kind, bytes: page.bytes, value: None });
            }
        }
        let mut places = BTreeMap::new();
        for &value in &self.touched {
            let info = self.graph.info(value);
            let bytes = info.ty.bytes();
            let place = match &info.source {
                Source::Parameter(_) | Source::State { .. } => Place::Stored { value, bytes },
                Source::Node { .. } => match self.arenas.places.get(&value) {
                    Some(&(page, offset)) => Place::Owned { buffer: gradient_page[&page], offset, bytes },
                    None => by_lifetime[self.of_value[&value]],
                },
                source => {
                    let kind = match source {
                        Source::Constant(_) => BufferKind::Constants,
                        _ => BufferKind::Inputs,
                    };
                    buffers.push(BufferPlan { kind, bytes, value: Some(value) });
                    Place::Owned { buffer: buffers.len() - 1, offset: 0, bytes }
                }
            };
            places.insert(value, place);
        }
        (buffers, places, by_lifetime)
    }

    /// Binds every dispatch.
    fn finish(self, plan: &Plan, by_lifetime: &[Place]) -> Result<Vec<Dispatch>> {
        let mut dispatches = Vec::with_capacity(self.drafts.len());
        for (draft, temporaries) in self.drafts.into_iter().zip(&self.temporaries) {
            let bindings = declared(&draft)?
                .into_iter()
                .zip(draft.operands)
                .map(|((index, access), operand)| {
                    let (place, run) = match operand {
                        Operand::Temporary(t) => (by_lifetime[temporaries[t]], Vec::new()),
                        Operand::Count(number) => (plan.count_place(number), Vec::new()),
                        Operand::Value(value) => {
                            (plan.place(value).expect("every operand has a place"), Vec::new())
                        }
                        Operand::Run(values) => {
                            let bytes = run_bytes(self.graph, &values);
                            let first = plan.place(values[0]).expect("every operand has a place");
                            let place = match first {
                                Place::Owned { buffer, offset, .. } => Place::Owned { buffer, offset, bytes },
                                Place::Stored { value, .. } => Place::Stored { value, bytes },
                            };
                            (place, values)
                        }
                    };
                    Binding { index, access, place, run }
                })
                .collect();
            let workgroups = limits::fold(draft.workgroups, plan.caps.max_workgroups);
            dispatches.push(Dispatch { kernel: draft.kernel, bindings, workgroups, flops: draft.flops });
        }
        Ok(dispatches)
    }
}

/// The bindings that a draft's kernel declares, one for each operand.
fn declared(draft: &Draft) -> Result<Vec<(u32, Access)>> {
    let declared = draft.kernel.bindings()?;
    if declared.len() == draft.operands.len() {
        return Ok(declared);
    }
    Err(Error::Shader {
        shader: draft.kernel.name().to_owned(),
        message: format!("declares {} bindings, the operator binds {}", declared.len(), draft.operands.len()),
    })
}
