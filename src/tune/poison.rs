//! Spoils workgroup memory before a variant is checked: what an earlier run of the same kernel left there would make a
//! kernel right that does not wait for its own numbers.

use crate::device::Device;
use crate::error::Result;
use crate::graph::Graph;
use crate::op::{Array, LowerContext, Operator, Reference};
use crate::plan::Plan;
use crate::session::Session;
use crate::shader::{Kernel, kernels};
use crate::tensor::{Shape, TensorType};
use crate::weights::Weights;
use std::sync::Arc;

/// Fills the workgroup memory of all processors, or of some of a software adapter's few threads often enough.
#[derive(Debug)]
struct Fill {
    groups: usize,
}

impl Reference for Fill {
    fn reference(&self, _inputs: &[&Array]) -> Vec<Array> {
        vec![Array::new(Shape::from([self.groups]), vec![f64::NAN; self.groups])]
    }
}

impl Operator for Fill {
    fn name(&self) -> &'static str {
        "poison"
    }

    fn arity(&self) -> (usize, usize) {
        (0, 0)
    }

    fn infer(&self, _inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![TensorType::f32([self.groups])])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        const WORDS: u64 = 4096 / 64;
        let kernel = Kernel::new(&kernels::poison).with("GROUPS", cx.index(self.groups)?).iterations(WORDS);
        cx.dispatch(kernel, &[cx.output(0)], self.groups);
        Ok(())
    }
}

/// What spoils a device's workgroup memory.
pub(super) struct Poison(Session);

impl Poison {
    pub(super) fn new(device: &Device) -> Result<Poison> {
        let groups = if device.caps().kind.is_software() { 64 } else { 4096 };
        let mut graph = Graph::new();
        let filled = graph.apply_named("poison".into(), Arc::new(Fill { groups }), &[])?;
        let plan = Plan::new(&graph, &filled, device.caps())?;
        Ok(Poison(Session::new(device, plan, &Weights::init(device, &graph, 0)?)?))
    }

    pub(super) fn run(&mut self) -> Result<()> {
        self.0.step()
    }
}
