//! Embeddings of words or classes: rows of a weight, selected by index.

use super::parts::STRETCH;
use super::range_sum::{self, Lines};
use crate::error::Result;
use crate::graph::{Graph, Ignored, LabelRange, Value};
use crate::op::occupancy::{ITEMS, LANES};
use crate::op::{
    BackwardContext, Caps, LowerContext, MAX_ITERATIONS, Operand, Operator, Preference, Variant,
};
use crate::ops::checks;
use crate::ops::serial;
use crate::ops::strided_copy::{SCALAR, VEC4};
use crate::shader::{Kernel, kernels, parts};
use crate::tensor::{DType, TensorType};

/// Positions that are sorted by comparing all pairs, and sorted runs that are merged at a time.
const RUN: usize = 256;
const WAYS: usize = 16;

/// Number of halvings until nothing is left of so many positions.
fn halvings(positions: usize) -> u32 {
    usize::BITS - positions.leading_zeros()
}

const SORTED: Variant = Variant::new("sorted");

/// For each index, that row of the weight. Inputs: weight `[rows, features]`, indices (i32 of any shape). Output: the
/// indices' shape followed by `features`.
///
/// An index out of range gives zeros and no gradient. A session refuses it before upload if the indices are an input,
/// and the graph if they are a constant. Indices that the step computes are not checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Embedding {
    /// A row that gets no gradient, so training does not change it.
    pub padding: Option<usize>,
}

/// Options of [`Graph::embedding_with`], with PyTorch's names and defaults.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct EmbeddingOptions {
    padding_idx: Option<usize>,
}

impl EmbeddingOptions {
    /// PyTorch's defaults: every row is trained.
    pub fn new() -> Self {
        EmbeddingOptions::default()
    }

    /// Sets a row that gets no gradient, and so stays as it is; none by default.
    #[must_use]
    pub fn padding_idx(mut self, row: impl Into<Option<usize>>) -> Self {
        self.padding_idx = row.into();
        self
    }
}

impl Operator for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let (weight, indices) = (inputs[0], inputs[1]);
        if weight.dtype != DType::F32 || weight.shape.len() != 2 {
            return Err(format!("'weight' must be 2-D: expects f32 [rows, features], found {weight}"));
        }
        if indices.dtype != DType::I32 {
            return Err(format!("expects i32 indices, found {indices}"));
        }
        let (rows, features) = (weight.shape[0], weight.shape[1]);
        if let Some(padding) = self.padding.filter(|&padding| padding >= rows) {
            return Err(format!(
                "padding_idx must be within num_embeddings: row {padding} of {}",
                weight.shape
            ));
        }
        Ok(vec![TensorType::f32([&indices.shape[..], &[features]].concat())])
    }

    fn labels(&self, inputs: &[&TensorType]) -> Option<(usize, LabelRange)> {
        Some((1, LabelRange { classes: inputs[0].shape[0], ignored: Ignored::Nothing }))
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        if cx.wants(0) {
            let rows = cx.shape(cx.input(0))[0];
            let inputs = [cx.input(1), cx.output_gradient(0)?];
            let gradient = cx.apply1(EmbeddingGrad { forward: *self, rows }, &inputs)?;
            cx.set(0, gradient);
        }
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        widths(inputs[0].shape[1])
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::all(&[VEC4, SCALAR])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let width = if cx.variant() == VEC4 { 4 } else { 1 };
        let shape = &cx.input_type(0).shape;
        let elements = cx.output_type(0).shape.elements() / width;
        let (kernel, groups) = cx.made_by(&parts::embedding, elements, ITEMS)?;
        let kernel = kernel.with("ROWS", cx.index(shape[0])?).with("COLUMNS", cx.index(shape[1] / width)?);
        let operands = [cx.input(0), cx.input(1), cx.output(0)];
        cx.dispatch_epilogue(kernel, &operands, groups, width);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }
}

/// Gradient of [`Embedding`] by the weight: each row adds the gradients of its positions, in order. Inputs: indices,
/// the output's gradient.
///
/// The positions of a row are linked in a list. A position finds its successor by comparing with those after it. With
/// n positions this takes at most n^2 / 2 comparisons, and far fewer if indices repeat; the rest of the work grows
/// with weight and output only. If there are more positions than one invocation may look at, they are sorted instead,
/// and a row's stretch of them is added by blocks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EmbeddingGrad {
    /// The forward operator.
    pub forward: Embedding,
    /// Rows of the weight.
    pub rows: usize,
}

impl EmbeddingGrad {
    /// Columns of the weight, from the output's gradient.
    fn features(dy: &TensorType) -> usize {
        dy.shape.last().copied().unwrap_or(1)
    }

    fn ignored(&self) -> usize {
        self.forward.padding.unwrap_or(self.rows)
    }

    /// Records the sorting of positions: runs are sorted by comparing all pairs, and then merged.
    fn lower_order(cx: &mut LowerContext<'_>, positions: usize) -> Result<Operand> {
        let count = cx.index(positions)?;
        cx.index(2 * positions)?;
        let mut order = cx.temporary(2 * positions);
        let kernel = Kernel::new(&kernels::embedding_sort).with("POSITIONS", count).with("RUN", RUN as u32);
        let operands = [cx.input(0), order.clone()];
        cx.dispatch(kernel.iterations(positions.min(RUN) as u64), &operands, positions.div_ceil(LANES));
        let mut other = (positions > RUN).then(|| cx.temporary(2 * positions));
        let mut run = RUN;
        while let Some(merged) = other.filter(|_| run < positions) {
            let kernel = Kernel::new(&kernels::embedding_merge)
                .with("POSITIONS", count)
                .with("RUN", cx.index(run)?)
                .with("WAYS", WAYS as u32)
                .with("STEPS", halvings(run))
                .iterations(WAYS.min(positions.div_ceil(run)) as u64 * u64::from(1 + halvings(run)));
            cx.dispatch(kernel, &[order.clone(), merged.clone()], positions.div_ceil(LANES));
            (order, other) = (merged, Some(order));
            run *= WAYS;
        }
        Ok(order)
    }

    /// Records the gradient by sorted positions, for too many positions for lists.
    fn lower_sorted(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let positions = cx.input_type(0).shape.elements();
        let features = Self::features(cx.input_type(1));
        let width = if features.is_multiple_of(4) { 4 } else { 1 };
        let lines = Lines { lines: 1, length: positions, plane: features / width, width };
        let order = Self::lower_order(cx, positions)?;
        let elements = [cx.input(1), order];
        let sums = lines.block_sums(cx, &parts::line_sorted, &elements)?;
        let (kernel, groups) = cx.made_by(&parts::embedding_grad_sorted, self.rows * lines.plane, 1)?;
        let kernel = lines
            .summed(cx, kernel)?
            .with("IGNORED", cx.index(self.ignored())?)
            .with("STEPS", halvings(positions))
            .iterations(2 * u64::from(halvings(positions)));
        let operands: Vec<Operand> = elements.into_iter().chain(sums).chain([cx.output(0)]).collect();
        cx.dispatch_epilogue(kernel, &operands, groups, width);
        Ok(())
    }
}

/// Loop iterations over the list of all positions, in whole stretches.
fn list_iterations(positions: usize) -> u64 {
    (positions as u64).div_ceil(STRETCH) * (1 + STRETCH)
}

impl Operator for EmbeddingGrad {
    fn name(&self) -> &'static str {
        "embedding_grad"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let weight = TensorType::f32([self.rows, Self::features(inputs[1])]);
        let output = self.forward.infer(&[&weight, inputs[0]])?;
        checks::gradient(inputs[1], &output[0])?;
        Ok(vec![weight])
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        if list_iterations(inputs[0].shape.elements()) > MAX_ITERATIONS {
            return vec![SORTED];
        }
        [widths(Self::features(inputs[1])), vec![SORTED]].concat()
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::all(&[VEC4, SCALAR, SORTED])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        if cx.variant() == SORTED {
            return self.lower_sorted(cx);
        }
        let width = if cx.variant() == VEC4 { 4 } else { 1 };
        let positions = cx.input_type(0).shape.elements();
        let columns = Self::features(cx.input_type(1)) / width;
        let (rows, count) = (cx.index(self.rows)?, cx.index(positions)?);
        let (heads, next) = (cx.temporary(self.rows), cx.temporary(positions));
        let kernel = Kernel::new(&kernels::fill).with("ELEMENTS", rows).with("VALUE", count);
        cx.dispatch(kernel, std::slice::from_ref(&heads), self.rows.div_ceil(LANES));
        let kernel = Kernel::new(&kernels::embedding_links)
            .with("ROWS", rows)
            .with("POSITIONS", count)
            .iterations(positions as u64);
        let operands = [cx.input(0), heads.clone(), next.clone()];
        cx.dispatch(kernel, &operands, positions.div_ceil(LANES));
        let (kernel, groups) = cx.made_by(&parts::embedding_grad, self.rows * columns, 1)?;
        let kernel = kernel
            .with("POSITIONS", count)
            .with("COLUMNS", cx.index(columns)?)
            .with("IGNORED", cx.index(self.ignored())?)
            .iterations(list_iterations(positions));
        let operands = [cx.input(1), heads, next, cx.output(0)];
        cx.dispatch_epilogue(kernel, &operands, groups, width);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        let positions = inputs[0].shape.elements();
        if variant == SORTED { range_sum::serial_terms(positions) } else { serial::stretched(positions) }
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[1].shape.elements() as u64
    }
}

fn widths(features: usize) -> Vec<Variant> {
    if features.is_multiple_of(4) { vec![VEC4, SCALAR] } else { vec![SCALAR] }
}

impl Graph {
    /// The rows of `weight [rows, features]` at `indices` (i32 of any shape). The output has the shape of the indices
    /// followed by `features`.
    ///
    /// # Errors
    /// A weight that is not f32 of two dimensions, indices that are not i32.
    pub fn embedding(&mut self, weight: Value, indices: Value) -> Result<Value> {
        self.embedding_with(weight, indices, EmbeddingOptions::new())
    }

    /// [`Graph::embedding`] with options.
    ///
    /// # Errors
    /// As [`Graph::embedding`]; a padding row that the weight does not have.
    pub fn embedding_with(
        &mut self,
        weight: Value,
        indices: Value,
        options: EmbeddingOptions,
    ) -> Result<Value> {
        self.apply1(Embedding { padding: options.padding_idx }, &[weight, indices])
    }
}
