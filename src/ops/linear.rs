//! The linear layer, and the gradient of its weight and bias at once.

use super::elementwise::SumTo;
use super::gemm::{Bias, Gemm, Loader, PRODUCT, Size, Store, Tiling};
use super::matmul::{MatMul, lhs, require_f32, rhs, store};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, Caps, LowerContext, Operator, Preference, Variant};
use crate::ops::serial;
use crate::shader::parts;
use crate::tensor::{Shape, TensorType};

/// `x W^T + b`: x is (batch, in), the weight (out, in) as in PyTorch, the bias (out).
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Linear;

impl Operator for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 3)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        require_f32(inputs)?;
        let (x, weight) = (&inputs[0].shape, &inputs[1].shape);
        if x.len() != 2 || weight.len() != 2 {
            return Err(format!("input must be (batch, in) and weight (out, in), found {x} and {weight}"));
        }
        if x[1] != weight[1] {
            return Err(format!("input {x} has {} features, weight {weight} expects {}", x[1], weight[1]));
        }
        if let Some(bias) = inputs.get(2)
            && bias.shape != Shape::from([weight[0]])
        {
            return Err(format!("bias must be [{}] for weight {weight}, found {}", weight[0], bias.shape));
        }
        Ok(vec![TensorType::f32([x[0], weight[0]])])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let (x, weight) = (cx.input(0), cx.input(1));
        if cx.wants(0) {
            let value = cx.apply1(MatMul::default(), &[gradient, weight])?;
            cx.set(0, value);
        }
        let bias = cx.inputs() > 2 && cx.wants(2);
        if cx.wants(1) && bias {
            let values = cx.apply(LinearGradWeight, &[gradient, x])?;
            cx.set(1, values[0]);
            cx.set(2, values[1]);
        } else if cx.wants(1) {
            let value = cx.apply1(MatMul { transpose_lhs: true, transpose_rhs: false }, &[gradient, x])?;
            cx.set(1, value);
        } else if bias {
            let shape = cx.shape(cx.input(2));
            let value = cx.apply1(SumTo { shape }, &[gradient])?;
            cx.set(2, value);
        }
        Ok(())
    }

    fn variants(&self, _inputs: &[&TensorType], caps: &Caps) -> Vec<Variant> {
        Tiling::names(caps)
    }

    fn preference(&self, inputs: &[&TensorType]) -> Preference {
        let (x, weight) = (&inputs[0].shape, &inputs[1].shape);
        Size { m: x[0], n: weight[0], k: x[1], batches: 1 }.preference()
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let (x, weight) = (&cx.input_type(0).shape, &cx.input_type(1).shape);
        let (m, k, n) = (x[0], x[1], weight[0]);
        let gemm = Gemm {
            body: Tiling::of(cx.variant()),
            size: Size { m, n, k, batches: 1 },
            lhs: lhs(false, cx.index(m)?, cx.index(k)?),
            rhs: rhs(true, cx.index(k)?, cx.index(n)?),
            store: store(cx.index(n)?),
            common: None,
            bias: if cx.inputs() > 2 { Bias::Columns(cx.input(2)) } else { Bias::None },
            second_result: None,
        };
        let (a, b, c) = (cx.input(0), cx.input(1), cx.output(0));
        gemm.lower(cx, a, b, c)
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        serial::product(inputs[0].shape[1])
    }

    fn multiply_adds(&self, inputs: &[&TensorType]) -> u64 {
        (inputs[0].shape.elements() * inputs[1].shape[0]) as u64
    }
}

/// The gradients of a linear layer's weight and bias: `G^T X` and the sums of G's columns, from the
/// output's gradient G (batch, out) and the input X (batch, in). Outputs: (out, in) and (out).
///
/// One product computes both: the bias is the weight of an input that is always one.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LinearGradWeight;

impl Operator for LinearGradWeight {
    fn name(&self) -> &'static str {
        "linear_grad_weight"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        require_f32(inputs)?;
        let (gradient, x) = (&inputs[0].shape, &inputs[1].shape);
        if gradient.len() != 2 || x.len() != 2 || gradient[0] != x[0] {
            return Err(format!(
                "the output's gradient must be (batch, out) and the input (batch, in), found {gradient} and {x}"
            ));
        }
        Ok(vec![TensorType::f32([gradient[1], x[1]]), TensorType::f32([gradient[1]])])
    }

    fn variants(&self, _inputs: &[&TensorType], caps: &Caps) -> Vec<Variant> {
        Tiling::names(caps)
    }

    fn preference(&self, inputs: &[&TensorType]) -> Preference {
        let (gradient, x) = (&inputs[0].shape, &inputs[1].shape);
        let size = Size { m: gradient[1], n: x[1] + 1, k: x[0], batches: 1 };
        size.or_cooperative(size.or_wide(PRODUCT))
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let (batch, out) = (cx.input_type(0).shape[0], cx.input_type(0).shape[1]);
        let inputs = cx.input_type(1).shape[1];
        let (rhs, store, width) = if inputs.is_multiple_of(4) {
            (&parts::linear_grad_rhs, &parts::linear_grad_store_vec4, 4)
        } else {
            (&parts::linear_grad_rhs_any, &parts::linear_grad_store, 1)
        };
        let gemm = Gemm {
            body: Tiling::of(cx.variant()),
            size: Size { m: out, n: inputs + 1, k: batch, batches: 1 },
            lhs: lhs(true, cx.index(out)?, cx.index(batch)?),
            rhs: Loader::new(rhs),
            store: Store { part: Loader::new(store), width },
            common: None,
            bias: Bias::None,
            second_result: Some(cx.output(1)),
        };
        let (gradient, x, result) = (cx.input(0), cx.input(1), cx.output(0));
        gemm.lower(cx, gradient, x, result)
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        serial::product(inputs[0].shape[0])
    }

    fn multiply_adds(&self, inputs: &[&TensorType]) -> u64 {
        (inputs[0].shape.elements() * (inputs[1].shape[1] + 1)) as u64
    }
}

impl Graph {
    /// `x W^T + b`: x (batch, in), weight (out, in), bias (out), as PyTorch's `linear`.
    ///
    /// # Errors
    /// Sizes that do not fit each other.
    pub fn linear(&mut self, x: Value, weight: Value, bias: Option<Value>) -> Result<Value> {
        let inputs: Vec<Value> = [x, weight].into_iter().chain(bias).collect();
        self.apply1(Linear, &inputs)
    }
}
