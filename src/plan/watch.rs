//! The numerics watch of a plan: which values of a step are checked for infinities and NaNs, and by which kernel.
//!
//! A later node may overwrite a value's memory, so the value is checked when it is made. Kernels that store through
//! `epilogue` count in registers, at almost no cost. Other tensors (a second output, a kernel without `epilogue`) are
//! scanned: small ones and those that are kept anyway all together at the end of the step, others by a dispatch
//! behind their node. Each value has a count, in the order of the graph. A last dispatch keeps the first count that
//! is not zero, and the step.

use super::draft::Drafted;
use super::{Arenas, BufferKind, BufferPlan, Place};
use crate::graph::{Graph, Node, NodeId, Source, Value};
use crate::op::occupancy::LANES;

use crate::op::{ALIGNMENT, Caps, Draft, Hook, Operand, arena_bytes, run_bytes};
use crate::shader::{Kernel, kernels, parts};
use crate::tensor::DType;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Vectors or elements that an invocation of a scan reads.
const ITEMS: usize = 16;

/// The largest tensor that is kept to the end of the step to be scanned with others, in bytes.
const MOST_KEPT: u64 = 16 << 10;

/// The most that all such tensors may take, in bytes. Each takes at least 256.
const MOST_KEPT_TOGETHER: u64 = 1 << 20;

/// The bits of infinity, the smallest magnitude that is not finite. The bits of NaNs are larger.
const INFINITY_BITS: i32 = 0x7f80_0000;

/// Options of the numerics watch.
///
/// [`Session::not_finite`](crate::Session::not_finite) returns the finding.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::plan::Watch;
/// use wgrad::{Device, Graph, Plan, PlanOptions, Session, Weights};
///
/// # fn train(device: &Device, g: &Graph, weights: &Weights, loss: wgrad::Value) -> wgrad::Result<()> {
/// let options = PlanOptions::default().watch(Watch::new());
/// let mut session = Session::new(device, Plan::with_options(g, &[loss], device.caps(), &options)?, weights)?;
/// session.step()?;
/// session.check_finite()?; // names the first node whose output was infinite or NaN
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Watch {
    except: BTreeSet<String>,
    nan_only: bool,
}

impl Watch {
    /// Looks for infinities and NaNs in every node.
    pub fn new() -> Self {
        Watch::default()
    }

    /// Leaves out the nodes, and the parameter or state, of this name, for example a mask of `-inf`. Nodes that read
    /// it are still watched.
    #[must_use]
    pub fn except(mut self, name: &str) -> Self {
        self.except.insert(name.to_owned());
        self
    }

    /// Looks for NaNs only.
    #[must_use]
    pub fn nan_only(mut self) -> Self {
        self.nan_only = true;
        self
    }

    fn least_bits(&self) -> i32 {
        INFINITY_BITS + i32::from(self.nan_only)
    }
}

/// The tensors behind a count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Watched {
    /// A parameter or state before the first step.
    Stored(Value),
    /// An output of a node.
    Output(NodeId, usize),
    /// All tensors that an optimizer's node updates.
    Updates(NodeId),
}

/// The counts of a watched plan, and the scans that the session runs.
#[derive(Clone, Debug)]
pub(crate) struct Watching {
    /// The tensors behind each count, in the order of the graph.
    pub watched: Vec<Watched>,
    /// Counts and tensors that are scanned before the first step, and after each.
    pub before: Vec<(usize, Value)>,
    pub after: Vec<(usize, Value)>,
    /// Numbers of the buffers for counts and report.
    pub counts: usize,
    pub report: usize,
    /// Distance between counts, in bytes. Each count can be bound alone.
    pub stride: u64,
    pub least_bits: i32,
    except: BTreeSet<String>,
}

/// Words of the report before the counts of the first step: see `watch_close.wgsl`.
pub(crate) const REPORT_WORDS: u64 = 4;

impl Watching {
    /// Bytes of the buffers of counts and report.
    pub(crate) fn bytes(&self) -> [u64; 2] {
        let counts = self.watched.len().max(1) as u64;
        [counts * self.stride, 4 * (REPORT_WORDS + counts)]
    }

    /// The place of a count.
    pub(crate) fn count_place(&self, number: usize) -> Place {
        Place::Owned { buffer: self.counts, offset: number as u64 * self.stride, bytes: 4 }
    }

    /// Whether a node of this name is left out.
    pub(crate) fn leaves_out(&self, name: &str) -> bool {
        self.except.contains(name)
    }
}

/// Decides what to watch while nodes are lowered.
pub(super) struct Builder<'g> {
    graph: &'g Graph,
    arenas: &'g Arenas,
    /// By storage: the last node that writes it in place.
    replaced: BTreeMap<Value, NodeId>,
    /// Storages of values that the user may read.
    kept: BTreeSet<Value>,
    /// Whether the padding between an arena's tensors may hold other numbers than zero. Arenas can't be scanned whole
    /// then.
    padding_filled: bool,
    /// By number of the node: whether what it computes depends on the loss's scale, and may overflow.
    scaled: Vec<bool>,
    watching: Watching,
    /// Values that must live to the end of the step, and the bytes left for further ones.
    pub pinned: Vec<Value>,
    room: u64,
}

impl<'g> Builder<'g> {
    pub(super) fn new(
        watch: &Watch,
        graph: &'g Graph,
        arenas: &'g Arenas,
        outputs: &[Value],
        caps: &Caps,
    ) -> Self {
        let mut replaced = BTreeMap::new();
        let mut read = BTreeSet::new();
        for (id, node) in graph.nodes() {
            for (_, input) in node.operator.in_place() {
                replaced.insert(graph.storage(node.inputs[input]), id);
            }
            read.extend(node.inputs.iter().map(|&value| graph.storage(value)));
        }
        let scaled = scaled(graph);
        // Such as sums of gradients of several steps.
        let is_scaled = |value: Value| replaced.get(&value).is_some_and(|id: &NodeId| scaled[id.index]);
        let (mut watched, mut before) = (Vec::new(), Vec::new());
        for value in read {
            let info = graph.info(value);
            let stored =
                !is_scaled(value) && matches!(info.source, Source::Parameter(_) | Source::State { .. });
            if stored && info.ty.dtype == DType::F32 && !watch.except.contains(&info.name) {
                before.push((watched.len(), value));
                watched.push(Watched::Stored(value));
            }
        }
        Builder {
            graph,
            arenas,
            replaced,
            kept: outputs.iter().map(|&value| graph.storage(value)).collect(),
            scaled,
            padding_filled: graph.nodes().any(|(_, node)| node.operator.fills_padding()),
            watching: Watching {
                watched,
                before,
                after: Vec::new(),
                counts: 0,
                report: 0,
                stride: u64::from(caps.offset_alignment).clamp(16, ALIGNMENT),
                least_bits: watch.least_bits(),
                except: watch.except.clone(),
            },
            pinned: Vec::new(),
            room: MOST_KEPT_TOGETHER,
        }
    }

    /// The values whose words are looked at as f32 after a step.
    pub(super) fn scanned(&self) -> impl Iterator<Item = Value> {
        self.watching.after.iter().map(|&(_, value)| value)
    }

    /// The hook for the kernels of the next node.
    pub(super) fn hook(&self, id: NodeId, node: &Node) -> Option<Hook> {
        let whole = self.padding_filled && !node.operator.arenas().is_empty();
        let watched = !whole && !self.leaves_out(id, node);
        watched.then_some(Hook { count: self.watching.watched.len(), least_bits: self.watching.least_bits })
    }

    /// Notes the outputs that a node's kernels count, and adds scans for the others. `read` says which outputs
    /// anything reads.
    pub(super) fn add(
        &mut self,
        id: NodeId,
        node: &Node,
        drafted: &mut Drafted,
        read: &[bool],
        pages: &[Range<usize>],
    ) {
        if node.operator.is_view() || self.leaves_out(id, node) || drafted.drafts.is_empty() {
            return;
        }
        let in_place: BTreeSet<usize> =
            node.operator.in_place().into_iter().map(|(output, _)| output).collect();
        let arenas = node.operator.arenas();
        if !arenas.is_empty() {
            let count = self.count(Watched::Updates(id));
            if self.padding_filled {
                for (_, input) in node.operator.in_place() {
                    let value = node.inputs[input];
                    if self.lasts(id, value) {
                        self.watching.after.push((count, value));
                    } else {
                        let bytes = self.graph.info(value).ty.bytes();
                        drafted.drafts.push(self.scan(Operand::Value(value), bytes, count));
                    }
                }
            } else if !drafted.hooked {
                let updated: BTreeSet<usize> =
                    node.operator.in_place().into_iter().map(|(_, input)| input).collect();
                for run in arenas.iter().filter(|run| updated.contains(&run.start)) {
                    for page in pages {
                        let values = node.inputs[run.start + page.start..run.start + page.end].to_vec();
                        let bytes = run_bytes(self.graph, &values);
                        drafted.drafts.push(self.scan(Operand::Run(values), bytes, count));
                    }
                }
            }
            return;
        }
        if drafted.hooked {
            self.count(Watched::Output(id, 0));
        }
        for (i, &value) in node.outputs.iter().enumerate() {
            let ty = &self.graph.info(value).ty;
            let made = read[i] || in_place.contains(&i);
            if ty.dtype != DType::F32 || !made || (drafted.hooked && i == 0) || self.only_moves(node) {
                continue;
            }
            let count = self.count(Watched::Output(id, i));
            let root = self.graph.storage(value);
            let lasts = self.lasts(id, value);
            let placed = self.arenas.places.contains_key(&root) || self.kept.contains(&root);
            let bytes = arena_bytes(ty);
            if lasts && placed {
                self.watching.after.push((count, value));
            } else if lasts && ty.bytes() <= MOST_KEPT && bytes <= self.room {
                self.room -= bytes;
                self.watching.after.push((count, value));
                self.pinned.push(value);
            } else {
                drafted.drafts.push(self.scan(Operand::Value(value), ty.bytes(), count));
            }
        }
    }

    fn leaves_out(&self, id: NodeId, node: &Node) -> bool {
        self.watching.except.contains(&node.name) || self.scaled[id.index]
    }

    /// Whether no node after `id` writes the value's storage in place.
    fn lasts(&self, id: NodeId, value: Value) -> bool {
        self.replaced.get(&self.graph.storage(value)).is_none_or(|&last| last == id)
    }

    fn count(&mut self, of: Watched) -> usize {
        self.watching.watched.push(of);
        self.watching.watched.len() - 1
    }

    /// Whether every element of the node's result was already checked when an earlier node made it.
    fn only_moves(&self, node: &Node) -> bool {
        let made = |value: Value| {
            let info = self.graph.info(self.graph.storage(value));
            info.ty.dtype != DType::F32
                || matches!(info.source, Source::Node { node, .. } if !self.leaves_out(node, self.graph.node_at(node)))
        };
        node.operator.only_moves() && node.inputs.iter().all(|&value| made(value))
    }

    fn scan(&self, source: Operand, bytes: u64, count: usize) -> Draft {
        let (element, width) =
            if bytes.is_multiple_of(16) { (&parts::element_4, 4) } else { (&parts::element_1, 1) };
        let kernel = Kernel::new(&kernels::watch_scan)
            .fill(element)
            .with("ITEMS", ITEMS as u32)
            .iterations(ITEMS as u64)
            .reporting(self.watching.least_bits);
        let workgroups = (bytes / 4).div_ceil((width * LANES * ITEMS) as u64);
        Draft { kernel, operands: vec![source, Operand::Count(count)], workgroups, flops: 0 }
    }

    /// Adds buffers for counts and report, and returns the finished `Watching`.
    pub(super) fn placed(mut self, buffers: &mut Vec<BufferPlan>) -> Watching {
        (self.watching.counts, self.watching.report) = (buffers.len(), buffers.len() + 1);
        let new = |bytes| BufferPlan { kind: BufferKind::Watch, bytes, value: None };
        buffers.extend(self.watching.bytes().map(new));
        self.watching
    }
}

/// The nodes, by number, that compute with the scale of a loss or what comes of it, without those that unscale it again.
pub(crate) fn scaled(graph: &Graph) -> Vec<bool> {
    let scale = |(_, node): (_, &Node)| Some(graph.storage(node.inputs[node.operator.loss_scale()?]));
    let mut values: BTreeSet<Value> = graph.nodes().filter_map(scale).collect();
    let depends = |(_, node): (_, &Node)| {
        let depends = node.operator.loss_scale().is_none()
            && node.inputs.iter().any(|&value| values.contains(&graph.storage(value)));
        if depends {
            values.extend(node.outputs.iter().map(|&value| graph.storage(value)));
        }
        depends
    };
    graph.nodes().map(depends).collect()
}
