//! An operator with an epilogue. The plan's fusion replaces several nodes by it.

use crate::error::Result;
use crate::graph::Node;
use crate::op::{Argument, Caps, EpilogueOp, LowerContext, Operator, Preference, Variant};
use crate::tensor::TensorType;
use std::sync::Arc;

/// An operator, the head, followed by a chain of element-wise operators on its first output.
///
/// Inputs are the head's own, then the operands of the links. The plan sees the head: the same name, variants and
/// dispatches.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub head: Arc<dyn Operator>,
    pub head_inputs: usize,
    pub links: Vec<Arc<EpilogueOp>>,
    /// At least as many operands as any of its kernels binds.
    pub operands: usize,
}

impl Chain {
    /// The operator of a node, with an empty chain.
    pub(crate) fn new(node: &Node) -> Chain {
        Chain {
            head: Arc::clone(&node.operator),
            head_inputs: node.inputs.len(),
            links: Vec::new(),
            operands: usize::MAX,
        }
    }

    fn head_kinds<'t>(&self, inputs: &[&'t TensorType]) -> Vec<&'t TensorType> {
        inputs[..self.head_inputs].to_vec()
    }
}

impl Operator for Chain {
    fn name(&self) -> &'static str {
        self.head.name()
    }

    fn arity(&self) -> (usize, usize) {
        let bound = self.links.iter().flat_map(|link| link.tensors()).count();
        (self.head_inputs + bound, self.head_inputs + bound)
    }

    fn describe(&self) -> String {
        let links: Vec<String> = self.links.iter().map(|link| link.operator.describe()).collect();
        format!("{} + {}", self.head.describe(), links.join(" + "))
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.head.infer(&self.head_kinds(inputs))
    }

    fn variants(&self, inputs: &[&TensorType], caps: &Caps) -> Vec<Variant> {
        self.head.variants(&self.head_kinds(inputs), caps)
    }

    fn preference(&self, inputs: &[&TensorType]) -> Preference {
        self.head.preference(&self.head_kinds(inputs))
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn keeps_f32(&self, output: usize) -> bool {
        self.head.keeps_f32(output)
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let head = Node {
            operator: Arc::clone(&self.head),
            inputs: cx.node.inputs[..self.head_inputs].to_vec(),
            ..cx.node.clone()
        };
        // The links' operands are those of this node: a copy of it in another graph has others.
        let mut bound = cx.node.inputs[self.head_inputs..].iter().copied();
        let link = |link: &Arc<EpilogueOp>| {
            let mut link = EpilogueOp::clone(link);
            for input in &mut link.inputs {
                if let Argument::Tensor(value) = input {
                    *value = bound.next().expect("every operand is an input");
                }
            }
            link
        };
        let links = self.links.iter().map(link).collect();
        cx.within(&head, links)
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        self.head.in_place()
    }

    fn tolerance(&self) -> f64 {
        let links = self.links.iter().map(|link| link.operator.tolerance());
        links.fold(self.head.tolerance(), f64::max)
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        self.head.serial_terms(&self.head_kinds(inputs), variant)
    }

    fn multiply_adds(&self, inputs: &[&TensorType]) -> u64 {
        self.head.multiply_adds(&self.head_kinds(inputs))
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        let elements = self.infer(inputs).map_or(0, |outputs| outputs[0].shape.elements());
        self.head.flops(&self.head_kinds(inputs)) + (elements * self.links.len()) as u64
    }
}
