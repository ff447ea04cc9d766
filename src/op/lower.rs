//! The context in which an operator becomes dispatches.

use super::epilogue::{self, EpilogueOp, Watched};
use super::{Caps, Variant};
use crate::error::{Error, Result};
use crate::graph::{Graph, Node, Value};
use crate::shader::Kernel;
use crate::tensor::{DType, TensorType};
use std::fmt;

/// Alignment of what shares a buffer, in bytes: every adapter can bind there.
pub(crate) const ALIGNMENT: u64 = 256;

/// Tensors inside an arena are padded to a multiple of so many elements, so that in f16 they can be bound too.
const ARENA_ELEMENTS: u64 = ALIGNMENT / 2;

/// A binding of a dispatch, before it has a place in memory.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Operand {
    /// A value of the graph.
    Value(Value),
    /// Scratch memory that lives within the node, by number.
    Temporary(usize),
    /// Values that lie one after the other in an arena.
    Run(Vec<Value>),
    /// The numerics watch's count of this number.
    Count(usize),
}

/// A dispatch before its operands have places.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub kernel: Kernel,
    pub operands: Vec<Operand>,
    pub workgroups: u64,
    pub flops: u64,
}

/// Where and how the kernels of a node count for the numerics watch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hook {
    /// Number of the count that they add to.
    pub count: usize,
    /// The smallest magnitude that counts, as bits.
    pub least_bits: i32,
}

/// An operator's view of the plan while it records its dispatches.
pub struct LowerContext<'p> {
    pub(crate) graph: &'p Graph,
    pub(crate) node: &'p Node,
    pub(crate) caps: &'p Caps,
    pub(crate) variant: Variant,
    pub(crate) read: &'p [bool],
    pub(crate) pages: &'p [std::ops::Range<usize>],
    /// The epilogue of the first output.
    pub(crate) chain: Vec<EpilogueOp>,
    pub(crate) drafts: Vec<Draft>,
    /// Bytes of each temporary.
    pub(crate) temporaries: Vec<u64>,
    /// Where kernels count elements that are not finite, if they do.
    pub(crate) hook: Option<Hook>,
    /// Whether a kernel counts, and whether one had no binding left for its count.
    pub(crate) hooked: (bool, bool),
}

impl fmt::Debug for LowerContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LowerContext").field("node", self.node).finish_non_exhaustive()
    }
}

impl<'p> LowerContext<'p> {
    /// The context of a node, without any dispatches yet.
    pub(crate) fn new(
        graph: &'p Graph,
        node: &'p Node,
        caps: &'p Caps,
        variant: Variant,
        read: &'p [bool],
        pages: &'p [std::ops::Range<usize>],
    ) -> Self {
        let (chain, drafts, temporaries) = (Vec::new(), Vec::new(), Vec::new());
        let (hook, hooked) = (None, (false, false));
        LowerContext { graph, node, caps, variant, read, pages, chain, drafts, temporaries, hook, hooked }
    }

    /// Records the dispatches of `head`, a part of this node, with a chain on its first output.
    pub(crate) fn within(&mut self, head: &Node, chain: Vec<EpilogueOp>) -> Result<()> {
        let mut inner = LowerContext::new(self.graph, head, self.caps, self.variant, self.read, self.pages);
        inner.chain = chain;
        inner.hook = self.hook;
        head.operator.lower(&mut inner)?;
        self.hooked = (self.hooked.0 || inner.hooked.0, self.hooked.1 || inner.hooked.1);
        self.drafts.append(&mut inner.drafts);
        self.temporaries.append(&mut inner.temporaries);
        Ok(())
    }

    /// Limits and traits of the adapter.
    pub fn caps(&self) -> &Caps {
        self.caps
    }

    /// The chosen variant, one of the operator's own.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.node.inputs.len()
    }

    /// Type of input `i`.
    pub fn input_type(&self, i: usize) -> &TensorType {
        &self.graph.info(self.node.inputs[i]).ty
    }

    /// Type of output `i`.
    pub fn output_type(&self, i: usize) -> &TensorType {
        &self.graph.info(self.node.outputs[i]).ty
    }

    /// Input `i`, to be bound.
    pub fn input(&self, i: usize) -> Operand {
        Operand::Value(self.node.inputs[i])
    }

    /// Output `i`, to be bound.
    pub fn output(&self, i: usize) -> Operand {
        Operand::Value(self.node.outputs[i])
    }

    /// Whether anything reads output `i`.
    pub fn is_read(&self, i: usize) -> bool {
        self.read[i]
    }

    /// Scratch memory for this many four-byte elements, alive during this node.
    pub fn temporary(&mut self, elements: usize) -> Operand {
        self.temporaries.push(4 * elements as u64);
        Operand::Temporary(self.temporaries.len() - 1)
    }

    /// For operators with arenas: the tensors that share a page, as indices into each arena's range. One dispatch
    /// covers one page.
    pub fn pages(&self) -> Vec<std::ops::Range<usize>> {
        self.pages.to_vec()
    }

    /// The inputs of this range as one run in their arena.
    pub fn run(&self, inputs: std::ops::Range<usize>) -> Operand {
        Operand::Run(self.node.inputs[inputs].to_vec())
    }

    /// Elements of a run, gaps between its tensors included.
    pub fn run_elements(&self, inputs: std::ops::Range<usize>) -> usize {
        run_bytes(self.graph, &self.node.inputs[inputs]) as usize / 4
    }

    /// Records a dispatch. `operands` come in the order of the kernel's binding numbers.
    /// `workgroups` are counted in one dimension; counts past the adapter's limit are folded into
    /// the others, and the part `group` finds the number again.
    pub fn dispatch(&mut self, kernel: Kernel, operands: &[Operand], workgroups: usize) {
        self.drafts.push(Draft {
            kernel,
            operands: operands.to_vec(),
            workgroups: workgroups as u64,
            flops: 0,
        });
    }

    /// Records the dispatch that stores the first output, like [`LowerContext::dispatch`]. Its kernel stores
    /// `epilogue(at, value)` for each value, where `at` counts elements of `width` (1, or 4 for a vec4). This method
    /// joins `epilogue` and the type `Element` to it. A kernel in which one invocation calls `epilogue` several times
    /// states how often ([`Kernel::epilogue_calls`]).
    pub fn dispatch_epilogue(
        &mut self,
        kernel: Kernel,
        operands: &[Operand],
        workgroups: usize,
        width: usize,
    ) {
        self.dispatch_chain(kernel, operands, workgroups, width, false);
    }

    /// Like [`LowerContext::dispatch_epilogue`], for a kernel that combines several results of `epilogue` into each
    /// value and stores `stored(value)`.
    pub fn dispatch_combined(
        &mut self,
        kernel: Kernel,
        operands: &[Operand],
        workgroups: usize,
        width: usize,
    ) {
        self.dispatch_chain(kernel, operands, workgroups, width, true);
    }

    fn dispatch_chain(
        &mut self,
        kernel: Kernel,
        operands: &[Operand],
        workgroups: usize,
        width: usize,
        stored: bool,
    ) {
        let watched = if stored { Watched::Stored } else { Watched::Epilogue };
        let mut watched = if self.hook.is_some() { watched } else { Watched::Nothing };
        let (mut files, mut glue, mut bound) = epilogue::glue(&self.chain, width, watched, stored);
        if watched != Watched::Nothing
            && operands.len() + bound.len() >= self.caps.max_storage_buffers as usize
        {
            (watched, self.hooked.1) = (Watched::Nothing, true);
            (files, glue, bound) = epilogue::glue(&self.chain, width, watched, stored);
        }
        let mut operands: Vec<Operand> = operands.iter().cloned().chain(bound).collect();
        let fills: &[&str] = if stored { &["epilogue", "stored"] } else { &["epilogue"] };
        let mut kernel = kernel
            .epilogue_iterations(epilogue::iterations(&self.chain, width))
            .fill_written(fills, &files, glue);
        if let (Some(hook), false) = (self.hook, watched == Watched::Nothing) {
            operands.push(Operand::Count(hook.count));
            kernel = kernel.reporting(hook.least_bits);
            self.hooked.0 = true;
        }
        self.dispatch(kernel, &operands, workgroups);
    }

    /// Records dispatches without the numerics watch, because their values are not those of the node's first output.
    pub(crate) fn unwatched(&mut self, record: impl FnOnce(&mut Self)) {
        let hook = self.hook.take();
        record(self);
        self.hook = hook;
    }

    /// Records a dispatch of a kernel that calls `epilogue`, whose values are not, or not yet, the first output's.
    /// `epilogue` then returns them unchanged.
    pub fn dispatch_without_epilogue(
        &mut self,
        kernel: Kernel,
        operands: &[Operand],
        workgroups: usize,
        width: usize,
    ) {
        let (files, glue, _) = epilogue::glue(&[], width, Watched::Nothing, false);
        self.dispatch(kernel.fill_written(&["epilogue"], &files, glue), operands, workgroups);
    }

    /// Adds floating-point operations to the last dispatch, for benches and profiles.
    pub fn flops(&mut self, flops: u64) {
        if let Some(draft) = self.drafts.last_mut() {
            draft.flops += flops;
        }
    }

    /// Converts a size to the 32 bits that kernels index with.
    ///
    /// # Errors
    /// A size past `i32::MAX`.
    pub fn index(&self, size: usize) -> Result<u32> {
        u32::try_from(size).ok().filter(|&s| s <= i32::MAX as u32).ok_or_else(|| Error::Limit {
            operator: self.node.operator.name().to_owned(),
            node: self.node.name.clone(),
            message: format!("an index of {size} does not fit the 31 bits that kernels index with"),
            largest_batch: None,
        })
    }
}

/// Bytes from the start of a tensor in an arena to the start of the next one.
pub(crate) fn arena_bytes(ty: &TensorType) -> u64 {
    let each = if ty.dtype == DType::F16 { 2 } else { 4 };
    ty.bytes().next_multiple_of(ARENA_ELEMENTS * each)
}

/// Bytes of a run, from the start of the first tensor to the end of the last. The last is padded too, so that kernels
/// can walk a run four elements at a time.
pub(crate) fn run_bytes(graph: &Graph, values: &[Value]) -> u64 {
    let mut end = 0u64;
    for &value in values {
        end += arena_bytes(&graph.info(value).ty);
    }
    end
}
