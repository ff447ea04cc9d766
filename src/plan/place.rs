//! Gives everything that dispatches bind a place in memory, and makes drafts into dispatches.

use super::draft::declared;
use super::slots::{self, Lifetime};
use super::{Arenas, Binding, BufferKind, BufferPlan, Dispatch, Place, Watching, limits};
use crate::error::Result;
use crate::graph::{Graph, Source, Value};
use crate::op::{Caps, Draft, Operand, run_bytes};
use crate::shader::Access;
use std::collections::{BTreeMap, BTreeSet};

/// Collects drafts and the lifetimes of the memory they touch.
pub(super) struct Placer<'g> {
    graph: &'g Graph,
    arenas: &'g Arenas,
    drafts: Vec<Draft>,
    /// Lifetimes of memory that needs a slot: values by storage, and temporaries.
    lifetimes: Vec<Lifetime>,
    of_value: BTreeMap<Value, usize>,
    /// For each dispatch, the lifetimes of its node's temporaries.
    temporaries: Vec<Vec<usize>>,
    touched: BTreeSet<Value>,
}

impl<'g> Placer<'g> {
    pub(super) fn new(graph: &'g Graph, arenas: &'g Arenas) -> Self {
        Placer {
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
    pub(super) fn add_node(&mut self, drafts: Vec<Draft>, temporaries: &[u64]) -> Result<()> {
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

    /// Keeps these values alive to the end of the step.
    pub(super) fn pin(&mut self, outputs: &[Value]) {
        for &output in outputs {
            if let Some(&index) = self.of_value.get(&self.graph.storage(output)) {
                self.lifetimes[index].keep_until(self.drafts.len());
            }
        }
    }

    /// Number of dispatches so far.
    pub(super) fn dispatches(&self) -> usize {
        self.drafts.len()
    }

    /// The most bytes alive at once.
    pub(super) fn lower_bound(&self) -> u64 {
        slots::lower_bound(&self.lifetimes)
    }

    /// Gives everything a place, in buffers of at most `most` bytes.
    pub(super) fn place(&mut self, outputs: &[Value], most: u64) -> Placed {
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
            let place = |operand: Operand| match operand {
                Operand::Temporary(t) => (placed.by_lifetime[temporaries[t]], Vec::new()),
                Operand::Count(number) => {
                    (watching.expect("only a watched plan counts").count_place(number), Vec::new())
                }
                Operand::Value(value) => (place_of(value), Vec::new()),
                Operand::Run(values) => {
                    let bytes = run_bytes(self.graph, &values);
                    let place = match place_of(values[0]) {
                        Place::Owned { buffer, offset, .. } => Place::Owned { buffer, offset, bytes },
                        Place::Stored { value, .. } => Place::Stored { value, bytes },
                    };
                    (place, values)
                }
            };
            let bind = |((index, access), operand)| {
                let (place, run) = place(operand);
                Binding { index, access, place, run }
            };
            let bindings = declared(&draft)?.into_iter().zip(draft.operands).map(bind).collect();
            let workgroups = limits::fold(draft.workgroups, caps.max_workgroups);
            dispatches.push(Dispatch { kernel: draft.kernel, bindings, workgroups, flops: draft.flops });
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
