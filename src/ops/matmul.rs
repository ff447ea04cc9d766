//! Matrix products: batched, with either operand transposed.

use super::gemm::{self, Bias, Gemm, Loader, Size, Store, Tiling};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, Caps, LowerContext, Operator, Preference, Variant};
use crate::ops::serial;
use crate::shader::parts;
use crate::tensor::{DType, Shape, TensorType};

/// Loads A, stored (m x k), or (k x m) if `transposed`, batch after batch.
pub(crate) fn lhs(transposed: bool, m: u32, k: u32) -> Loader {
    match transposed {
        false if k.is_multiple_of(4) => Loader::new(&parts::matmul_lhs_rows),
        true if m.is_multiple_of(4) => Loader::new(&parts::matmul_lhs_columns).by_column(),
        false => Loader::new(&parts::matmul_lhs_any).with("LHS_ROW", k).with("LHS_COLUMN", 1u32),
        true => Loader::new(&parts::matmul_lhs_any).with("LHS_ROW", 1u32).with("LHS_COLUMN", m),
    }
}

/// Loads B, stored (k x n), or (n x k) if `transposed`, batch after batch.
pub(crate) fn rhs(transposed: bool, k: u32, n: u32) -> Loader {
    match transposed {
        false if n.is_multiple_of(4) => Loader::new(&parts::matmul_rhs_rows),
        true if k.is_multiple_of(4) => Loader::new(&parts::matmul_rhs_columns).by_column(),
        false => Loader::new(&parts::matmul_rhs_any).with("RHS_ROW", n).with("RHS_COLUMN", 1u32),
        true => Loader::new(&parts::matmul_rhs_any).with("RHS_ROW", 1u32).with("RHS_COLUMN", k).by_column(),
    }
}

/// Stores C as (m x n), batch after batch.
pub(crate) fn store(n: u32) -> Store {
    let (file, width) =
        if n.is_multiple_of(4) { (&parts::matmul_store_vec4, 4) } else { (&parts::matmul_store, 1) };
    Store { part: Loader::new(file), width }
}

/// `op(lhs) op(rhs)` over the last two dimensions, where `op` transposes or does nothing. Leading
/// dimensions are batches and must be equal.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct MatMul {
    /// Whether `lhs` is stored as (.., k, m) instead of (.., m, k).
    pub transpose_lhs: bool,
    /// Whether `rhs` is stored as (.., n, k) instead of (.., k, n).
    pub transpose_rhs: bool,
}

impl MatMul {
    fn size(&self, lhs: &Shape, rhs: &Shape) -> Result<Size, String> {
        let rank = lhs.len();
        if rank < 2 || rhs.len() != rank || lhs[..rank - 2] != rhs[..rank - 2] {
            return Err(format!(
                "operands need two dimensions and equal batches before them, found {lhs} and {rhs}"
            ));
        }
        let pair = |shape: &Shape, transposed: bool| {
            let (a, b) = (shape[rank - 2], shape[rank - 1]);
            if transposed { (b, a) } else { (a, b) }
        };
        let (m, k) = pair(lhs, self.transpose_lhs);
        let (k_rhs, n) = pair(rhs, self.transpose_rhs);
        if k != k_rhs {
            let mark = |t: bool| if t { " (transposed)" } else { "" };
            return Err(format!(
                "inner size differ: lhs {lhs}{} has {k}, rhs {rhs}{} has {k_rhs}",
                mark(self.transpose_lhs),
                mark(self.transpose_rhs)
            ));
        }
        Ok(Size { batches: lhs[..rank - 2].iter().product(), m, n, k })
    }
}

impl Operator for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        require_f32(inputs)?;
        let lhs = &inputs[0].shape;
        let size = self.size(lhs, &inputs[1].shape)?;
        let mut shape = lhs[..lhs.len() - 2].to_vec();
        shape.extend([size.m, size.n]);
        Ok(vec![TensorType::f32(shape)])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let (lhs, rhs) = (cx.input(0), cx.input(1));
        let product = |transpose_lhs, transpose_rhs| MatMul { transpose_lhs, transpose_rhs };
        if cx.wants(0) {
            // dA = dC op(B)^T, or its transpose if A is stored transposed.
            let value = if self.transpose_lhs {
                cx.apply1(product(self.transpose_rhs, true), &[rhs, gradient])?
            } else {
                cx.apply1(product(false, !self.transpose_rhs), &[gradient, rhs])?
            };
            cx.set(0, value);
        }
        if cx.wants(1) {
            // dB = op(A)^T dC, or its transpose if B is stored transposed.
            let value = if self.transpose_rhs {
                cx.apply1(product(true, self.transpose_lhs), &[gradient, lhs])?
            } else {
                cx.apply1(product(!self.transpose_lhs, false), &[lhs, gradient])?
            };
            cx.set(1, value);
        }
        Ok(())
    }

    fn variants(&self, _inputs: &[&TensorType], caps: &Caps) -> Vec<Variant> {
        Tiling::names(caps)
    }

    fn preference(&self, inputs: &[&TensorType]) -> Preference {
        self.size(&inputs[0].shape, &inputs[1].shape).map_or(gemm::PRODUCT, |size| size.preference())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let size = self
            .size(&cx.input_type(0).shape, &cx.input_type(1).shape)
            .expect("the graph has checked the shapes");
        let (m, n, k) = (cx.index(size.m)?, cx.index(size.n)?, cx.index(size.k)?);
        let gemm = Gemm {
            body: Tiling::of(cx.variant()),
            size,
            lhs: lhs(self.transpose_lhs, m, k),
            rhs: rhs(self.transpose_rhs, k, n),
            store: store(n),
            common: None,
            bias: Bias::None,
            second_result: None,
        };
        let (a, b, c) = (cx.input(0), cx.input(1), cx.output(0));
        gemm.lower(cx, a, b, c)
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        let size = self.size(&inputs[0].shape, &inputs[1].shape);
        size.map_or(1, |size| serial::product(size.k))
    }

    fn multiply_adds(&self, inputs: &[&TensorType]) -> u64 {
        let size = self.size(&inputs[0].shape, &inputs[1].shape);
        size.map_or(0, |size| size.multiply_adds())
    }
}

/// Fails unless every input is f32.
pub(crate) fn require_f32(inputs: &[&TensorType]) -> Result<(), String> {
    match inputs.iter().position(|ty| ty.dtype != DType::F32) {
        None => Ok(()),
        Some(i) => Err(format!("input {i} must be f32, found {}", inputs[i])),
    }
}

impl Graph {
    /// `lhs rhs` over the last two dimensions: (.., m, k) by (.., k, n) gives (.., m, n).
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    ///
    /// let mut g = Graph::new();
    /// let (a, b) = (g.input("a", [12, 5, 7])?, g.input("b", [12, 7, 3])?);
    /// let product = g.matmul(a, b)?;
    /// assert_eq!(g.shape(product)?[..], [12, 5, 3]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Inner size or batches that differ.
    pub fn matmul(&mut self, lhs: Value, rhs: Value) -> Result<Value> {
        self.apply1(MatMul::default(), &[lhs, rhs])
    }
}
