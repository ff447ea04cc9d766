//! An operator that copies a tensor, and begins f16 in plans of mixed precision as products do.
//!
//! `benches/isa` has this file too.

use wgrad::TensorType;
use wgrad::op::{Array, IndexMap, Operator, Pointwise, Reference};
use wgrad::shader::ShaderFile;

/// A copy that begins f16, as a product does.
#[derive(Clone, Debug)]
pub struct Begin;

static BEGIN: ShaderFile =
    ShaderFile::new("begin", "//! uses element\nfn begin(x: Element) -> Element {\n    return x;\n}\n");

impl Operator for Begin {
    fn name(&self) -> &'static str {
        "begin"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> std::result::Result<Vec<TensorType>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn pointwise(&self, _inputs: &[&TensorType]) -> Option<Pointwise> {
        let (function, numbers) = ("begin", Vec::new());
        Some(Pointwise { file: &BEGIN, function, index_map: vec![IndexMap::Same], numbers })
    }

    fn multiply_adds(&self, _inputs: &[&TensorType]) -> u64 {
        1
    }
}

impl Reference for Begin {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].clone()]
    }
}
