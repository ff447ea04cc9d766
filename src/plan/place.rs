//! Gives everything that dispatches bind a place in memory, and makes drafts into dispatches.

use super::draft::{Drafted, declared};
use super::groups::{self, Memory, Uses};
use super::slots::{self, Lifetime, Packing};
use super::{Arenas, Binding, BufferKind, BufferPlan, Dispatch, Place, Watching, limits};
use crate::error::Result;
use crate::graph::{Graph, Source, Value};
use crate::op::{Caps, Draft, Operand, run_bytes};
use crate::shader::Access;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The dispatches of a plan in one order of its nodes, and the lifetimes of the memory they touch.
pub(super) struct Placer<'p> {
    graph: &'p Graph,
    arenas: &'p Arenas,
    /// The nodes' dispatches, node by node, and the temporaries of the node of each.
    drafts: Vec<&'p Draft>,
    temporaries: Vec<Range<usize>>,
    /// The dispatches of each node, in this order.
    pub nodes: Vec<Range<usize>>,
    /// What each dispatch uses.
    pub uses: Vec<Uses>,
    /// Lifetimes of memory that needs a slot: values by storage, and temporaries.
    lifetimes: Vec<Lifetime>,
    of_value: BTreeMap<Value, usize>,
    touched: BTreeSet<Value>,
}

impl<'p> Placer<'p> {
    /// # Errors
    /// A kernel that binds what it does not declare.
    pub(super) fn new(
        graph: &'p Graph,
        arenas: &'p Arenas,
        nodes: impl Iterator<Item = &'p Drafted>,
    ) -> Result<Self> {
        let mut placer = Placer {
            graph,
            arenas,
            drafts: Vec::new(),
            temporaries: Vec::new(),
            nodes: Vec::new(),
            uses: Vec::new(),
            lifetimes: Vec::new(),
            of_value: BTreeMap::new(),
            touched: BTreeSet::new(),
        };
        for node in nodes {
            placer.add_node(node)?;
        }
        Ok(placer)
    }

    fn add_node(&mut self, node: &'p Drafted) -> Result<()> {
        let (base, first) = (self.lifetimes.len(), self.drafts.len());
        self.lifetimes.extend(node.temporaries.iter().map(|&bytes| Lifetime::new(bytes)));
        for draft in &node.drafts {
            let now = self.drafts.len();
            let mut uses = Uses::new();
            for (operand, (_, access)) in draft.operands.iter().zip(declared(draft)?) {
                match operand {
                    Operand::Temporary(t) => {
                        self.lifetimes[base + t].touch(now, access);
                        uses.push((Memory::Piece(base + t), access));
                    }
                    Operand::Count(_) => uses.push((Memory::Counts, access)),
                    Operand::Value(value) => uses.extend(self.touch_value(*value, now, access)),
                    Operand::Run(values) => {
                        uses.extend(values.iter().filter_map(|&v| self.touch_value(v, now, access)));
                    }
                }
            }
            self.uses.push(uses);
            self.temporaries.push(base..base + node.temporaries.len());
            self.drafts.push(draft);
        }
        self.nodes.push(first..self.drafts.len());
        Ok(())
    }

    fn touch_value(&mut self, value: Value, now: usize, access: Access) -> Option<(Memory, Access)> {
        let root = self.graph.storage(value);
        self.touched.insert(root);
        if let Some(&(page, _)) = self.arenas.places.get(&root) {
            return Some((Memory::Page(page), access));
        }
        let info = self.graph.info(root);
        if !matches!(info.source, Source::Node { .. }) {
            return None;
        }
        let lifetimes = &mut self.lifetimes;
        let index = *self.of_value.entry(root).or_insert_with(|| {
            lifetimes.push(Lifetime::new(info.ty.bytes()));
            lifetimes.len() - 1
        });
        self.lifetimes[index].touch(now, access);
        Some((Memory::Piece(index), access))
    }

    /// Keeps these values alive to the end of the step.
    pub(super) fn pin(&mut self, outputs: &[Value]) {
        for &output in outputs {
            if let Some(&index) = self.of_value.get(&self.graph.storage(output)) {
                self.lifetimes[index].keep_until(self.drafts.len());
            }
        }
    }

    /// The most bytes alive at once.
    pub(super) fn lower_bound(&self) -> u64 {
        slots::lower_bound(&self.lifetimes)
    }

    /// Packs everything that needs a slot, in slots of at most `most` bytes. What is alive in one of these groups is
    /// taken to be alive in all of it, so that its dispatches don't meet in a slot.
    pub(super) fn pack(&self, groups: &[Range<usize>], most: u64) -> Packing {
        slots::pack(&self.coarse(groups), most)
    }

    /// The lifetimes on a clock of groups.
    fn coarse(&self, groups: &[Range<usize>]) -> Vec<Lifetime> {
        let mut times: Vec<usize> =
            groups.iter().enumerate().flat_map(|(time, group)| group.clone().map(move |_| time)).collect();
        times.push(groups.len());
        self.lifetimes.iter().map(|lifetime| lifetime.at(&times)).collect()
    }

    /// These groups, but those in which more than `most` bytes are alive fall into single dispatches.
    pub(super) fn relaxed(&self, groups: &[Range<usize>], most: u64) -> Vec<Range<usize>> {
        let lifetimes = self.coarse(groups);
        let mut changes = slots::changes(&lifetimes).peekable();
        let mut alive = 0;
        let mut relaxed = Vec::with_capacity(groups.len());
        for (time, group) in groups.iter().enumerate() {
            while let Some((_, bytes)) = changes.next_if(|&(at, _)| at <= time) {
                alive = bytes;
            }
            if alive > most {
                relaxed.extend(group.clone().map(|dispatch| dispatch..dispatch + 1));
            } else {
                relaxed.push(group.clone());
            }
        }
        relaxed
    }

    /// Packs everything that needs a slot as tightly as it goes, whatever overlaps then.
    pub(super) fn pack_apart(&self, most: u64) -> Packing {
        slots::pack(&self.lifetimes, most)
    }

    /// The groups of this order, whatever the slots.
    pub(super) fn groups(&self) -> Vec<Range<usize>> {
        groups::groups(self.uses.iter().map(Vec::as_slice))
    }

    /// The groups of this order with these slots.
    pub(super) fn packed_groups(&self, packing: &Packing) -> Vec<Range<usize>> {
        let packed = |&(memory, access): &(Memory, Access)| match memory {
            Memory::Piece(piece) => (Memory::Slot(packing.places[piece].0), access),
            memory => (memory, access),
        };
        let uses: Vec<Uses> = self.uses.iter().map(|uses| uses.iter().map(packed).collect()).collect();
        groups::groups(uses.iter().map(Vec::as_slice))
    }

    /// Gives everything a place.
    pub(super) fn place(&mut self, outputs: &[Value], packing: &Packing) -> Placed {
        self.touched.extend(outputs.iter().map(|&v| self.graph.storage(v)));
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
        Placed { buffers, places, by_lifetime }
    }

    /// Binds every dispatch.
    ///
    /// # Errors
    /// A kernel that binds what it does not declare.
    pub(super) fn bind(
        self,
        placed: &Placed,
        watching: Option<&Watching>,
        caps: &Caps,
    ) -> Result<Vec<Dispatch>> {
        let place_of = |value: Value| placed.places[&self.graph.storage(value)];
        let mut dispatches = Vec::with_capacity(self.drafts.len());
        for (draft, temporaries) in self.drafts.into_iter().zip(&self.temporaries) {
            let place = |operand: &Operand| match operand {
                Operand::Temporary(t) => (placed.by_lifetime[temporaries.start + t], Vec::new()),
                Operand::Count(number) => {
                    (watching.expect("only a watched plan counts").count_place(*number), Vec::new())
                }
                Operand::Value(value) => (place_of(*value), Vec::new()),
                Operand::Run(values) => {
                    let bytes = run_bytes(self.graph, values);
                    let place = match place_of(values[0]) {
                        Place::Owned { buffer, offset, .. } => Place::Owned { buffer, offset, bytes },
                        Place::Stored { value, .. } => Place::Stored { value, bytes },
                    };
                    (place, values.clone())
                }
            };
            let bind = |((index, access), operand)| {
                let (place, run) = place(operand);
                Binding { index, access, place, run }
            };
            let bindings = declared(draft)?.into_iter().zip(&draft.operands).map(bind).collect();
            let workgroups = limits::fold(draft.workgroups, caps.max_workgroups);
            let (kernel, flops) = (draft.kernel.clone(), draft.flops);
            dispatches.push(Dispatch { kernel, bindings, workgroups, flops });
        }
        Ok(dispatches)
    }
}

/// Buffers, and the places in them.
pub(super) struct Placed {
    pub buffers: Vec<BufferPlan>,
    /// By storage.
    pub places: BTreeMap<Value, Place>,
    /// Places of temporaries, by lifetime.
    by_lifetime: Vec<Place>,
}
