//! The gradients of normalisation of rows. One operator computes the input's, another those of weight and bias, so a
//! network without weight and bias computes neither.

use super::{RowNorm, Rows};
use crate::error::Result;
use crate::op::{Caps, LowerContext, Operand, Operator, Preference, Variant, reader};
use crate::ops::batch_norm::{ChannelSplit, Finalizer, Sums, VARIANTS, flat_gradient, serial_terms};
use crate::ops::pack::pack;
use crate::ops::serial;
use crate::shader::{Kernel, kernels, parts};
use crate::tensor::{Shape, TensorType};

/// The gradient of [`RowNorm`] by its input. Inputs: x, the gradient of y, the statistics, and the weight if
/// there is one.
#[derive(Clone, PartialEq, Debug)]
pub struct RowNormGrad(pub RowNorm);

/// Types of the inputs that both gradients read.
fn check_common(norm: &RowNorm, inputs: &[&TensorType]) -> Result<(), String> {
    let [x, gradient, statistics] = inputs else {
        return Err(format!(
            "expected x, the output's gradient and statistics, found {} inputs",
            inputs.len()
        ));
    };
    norm.check(x)?;
    if gradient != x {
        return Err(format!("expected the output's gradient as {x}, found {gradient}"));
    }
    let expected = TensorType::f32([x.shape.elements() / norm.terms(&x.shape), 4]);
    if **statistics != expected {
        return Err(format!("expected statistics as {expected}, found {statistics}"));
    }
    Ok(())
}

impl RowNormGrad {
    /// WGSL of `weight_at`, which gives the weights of a pack of x, and what it binds, where there are weights.
    fn weights(&self, cx: &LowerContext<'_>, width: usize) -> Option<(String, Operand)> {
        let index_map = self.0.index_map(&cx.input_type(0).shape);
        self.0.weight.then(|| (reader("weight_at", 3, index_map, width), cx.input(3)))
    }
}

/// Fills the hole of the weights, where there are any.
fn weighted(kernel: Kernel, weight_at: Option<String>) -> Kernel {
    match weight_at {
        Some(text) => kernel.fill_written(&["weight_at"], &[], text),
        None => kernel,
    }
}

impl Operator for RowNormGrad {
    fn name(&self) -> &'static str {
        match self.0.rows {
            Rows::Layer { .. } => "layer_norm_grad",
            Rows::Group { .. } => "group_norm_grad",
            Rows::Instance => "instance_norm_grad",
        }
    }

    fn arity(&self) -> (usize, usize) {
        let inputs = 3 + usize::from(self.0.weight);
        (inputs, inputs)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let common = inputs.len().min(3);
        check_common(&self.0, &inputs[..common])?;
        let weight = TensorType::f32(self.0.parameters(&inputs[0].shape));
        match (self.0.weight, &inputs[3..]) {
            (false, []) => {}
            (true, [found]) if **found == weight => {}
            (true, [found]) => return Err(format!("expected weight as {weight}, found {found}")),
            _ => {
                return Err(format!(
                    "expected {} inputs, found {}",
                    3 + usize::from(self.0.weight),
                    inputs.len()
                ));
            }
        }
        Ok(vec![inputs[0].clone()])
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        self.0.variants(&inputs[0].shape)
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        super::PREFERENCE
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let (x, gradient, statistics, dx) = (cx.input(0), cx.input(1), cx.input(2), cx.output(0));
        let shape = self.0.as_channels(&cx.input_type(0).shape);
        let (weight_at, weight) = self.weights(cx, pack(shape[2]).0).unzip();
        let inputs: Vec<Operand> =
            [x.clone(), gradient.clone(), statistics.clone()].into_iter().chain(weight.clone()).collect();
        if cx.variant() != super::PARTS {
            let (kernel, groups, width) = self.0.teams(cx, &kernels::row_norm_grad)?;
            let operands = [inputs, vec![dx]].concat();
            cx.dispatch_epilogue(weighted(kernel, weight_at), &operands, groups, width);
            return Ok(());
        }
        let lines = cx.temporary(4 * shape[1]);
        let sums = Sums {
            split: ChannelSplit::new(&shape, super::SPLIT),
            terms: &parts::row_norm_grad_terms,
            constants: &[],
            operands: inputs,
            line: Some(statistics),
            weight_at: weight_at.clone(),
        };
        let finalizer = Finalizer {
            files: &[&parts::row_norm_grad_finalize],
            constants: &[("ELEMENTS", shape[2] as f32)],
            operands: vec![lines.clone()],
        };
        sums.lower(cx, finalizer)?;
        let (kernel, groups, width) = flat_gradient(cx, &shape, &parts::row_norm_gradient)?;
        let kernel = weighted(kernel, weight_at);
        let operands: Vec<Operand> = [x, gradient].into_iter().chain(weight).chain([lines, dx]).collect();
        cx.dispatch_epilogue(kernel, &operands, groups, width);
        Ok(())
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        serial::shared(self.0.terms(&inputs[0].shape), 64)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        10 * inputs[0].shape.elements() as u64
    }
}

/// The gradients of [`RowNorm`] by weight and bias. Inputs: x, the gradient of y, the statistics.
#[derive(Clone, PartialEq, Debug)]
pub struct RowNormGradParameters(pub RowNorm);

impl RowNormGradParameters {
    /// Shape of x with one index of dimension 1 per weight.
    fn by_weight(&self, x: &Shape) -> Shape {
        match &self.0.rows {
            Rows::Layer { normalized_shape } => {
                let terms = normalized_shape.elements();
                [x.elements() / terms, terms].into()
            }
            Rows::Group { .. } | Rows::Instance => x.clone(),
        }
    }
}

impl Operator for RowNormGradParameters {
    fn name(&self) -> &'static str {
        match self.0.rows {
            Rows::Layer { .. } => "layer_norm_grad_parameters",
            Rows::Group { .. } => "group_norm_grad_parameters",
            Rows::Instance => "instance_norm_grad_parameters",
        }
    }

    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        check_common(&self.0, inputs)?;
        let each = TensorType::f32(self.0.parameters(&inputs[0].shape));
        Ok(vec![each.clone(), each])
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        VARIANTS.to_vec()
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        crate::ops::batch_norm::PREFERENCE
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let shape = self.by_weight(&cx.input_type(0).shape);
        let plane: usize = shape[2..].iter().product();
        let row = self.0.terms(&cx.input_type(0).shape) / pack(plane).0;
        let sums = Sums {
            split: ChannelSplit::new(&shape, cx.variant()),
            terms: &parts::row_norm_parameter_terms,
            constants: &[("ROW", cx.index(row)?)],
            operands: vec![cx.input(0), cx.input(1), cx.input(2)],
            line: None,
            weight_at: None,
        };
        let operands = vec![cx.output(0), cx.output(1)];
        sums.lower(cx, Finalizer { files: &[&parts::row_norm_parameter_finalize], constants: &[], operands })
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        serial_terms(&self.by_weight(&inputs[0].shape), variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        5 * inputs[0].shape.elements() as u64
    }
}
