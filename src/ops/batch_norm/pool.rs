//! Batch normalisation, an activation and max pooling of 2x2 windows as one operator, and the gradient of pooling and
//! normalisation as another. The plan replaces their parts by them (`plan/fuse/pool.rs`). The tensor between the
//! parts, four times the size of the result, is then never written.

use super::gradients::{Terms, apply};
use super::split::PREFERENCE;
use super::split::{ChannelSplit, VARIANTS, serial_terms};
use super::{BatchNormGrad, BatchNormTrain, channels, check_each};
use crate::error::Result;
use crate::op::{Argument, Caps, EpilogueOp, LowerContext, Operator, Preference, Variant};
use crate::ops::pool2d::Pool2d;
use crate::ops::unary::Unary;
use crate::shader::{Kernel, kernels, parts};
use crate::tensor::{Shape, TensorType};
use std::sync::Arc;

/// Whether a pooling has windows of 2x2 that tile this input. The kernels here do no other.
pub(crate) fn pools(pool: &Pool2d, input: &Shape) -> bool {
    input.len() == 4 && pool.tiles_by_two([input[2], input[3]])
}

/// Shape of the pooled tensor, and the type of the winning taps: four windows per word, and a new word for each plane
/// of windows.
fn pooled(input: &Shape) -> (Shape, TensorType) {
    let shape = Shape::from([input[0], input[1], input[2] / 2, input[3] / 2]);
    let words = (shape[2] * shape[3]).div_ceil(4);
    let taps = TensorType::i32([shape[0], shape[1], words]);
    (shape, taps)
}

/// The type of the winning taps, for an input of this shape.
pub(crate) fn pooled_taps(input: &Shape) -> TensorType {
    pooled(input).1
}

fn expect_pooled(input: &TensorType) -> Result<usize, String> {
    let channels = channels(input)?;
    if pools(&Pool2d::new([2, 2]), &input.shape) {
        return Ok(channels);
    }
    Err(format!("expected (N, C, H, W) with even H and W, found {input}"))
}

/// Constants of `max_pool2d_taps`.
fn windows(cx: &LowerContext<'_>, pooled: &Shape) -> Result<[(&'static str, u32); 2]> {
    Ok([("OUT_H", cx.index(pooled[2])?), ("OUT_W", cx.index(pooled[3])?)])
}

/// [`BatchNormTrain`], an activation, and the largest of each 2x2 window. Inputs as [`BatchNormTrain`]. Outputs: the
/// pooled tensor; statistics; if tracked, in place, the new running mean and variance; and the winning taps, for
/// [`BatchNormMaxPoolGrad`].
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormMaxPool {
    /// The normalisation.
    pub norm: BatchNormTrain,
    /// The activation between normalisation and pooling, if any.
    pub activation: Option<Unary>,
}

impl BatchNormMaxPool {
    /// Number of the output with the winning taps, the last one.
    fn taps(&self) -> usize {
        if self.norm.tracked { 4 } else { 2 }
    }
}

impl Operator for BatchNormMaxPool {
    fn name(&self) -> &'static str {
        "batch_norm_max_pool2d"
    }

    fn arity(&self) -> (usize, usize) {
        self.norm.arity()
    }

    /// Statistics do.
    fn keeps_f32(&self, output: usize) -> bool {
        output > 0
    }

    fn describe(&self) -> String {
        let activation = self.activation.map_or(String::new(), |f| format!(" + {}", f.name()));
        format!("batch_norm{activation} + max_pool2d")
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        expect_pooled(inputs[0])?;
        let mut outputs = self.norm.infer(inputs)?;
        let (shape, taps) = pooled(&inputs[0].shape);
        outputs[0] = TensorType::f32(shape);
        outputs.push(taps);
        Ok(outputs)
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        VARIANTS.to_vec()
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        PREFERENCE
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        self.norm.lower_statistics(cx)?;
        let shape = &cx.input_type(0).shape;
        let (planes, channels) = (shape[0] * shape[1], shape[1]);
        let (pooled, taps) = pooled(shape);
        let (bias, operand) = self.norm.bias(cx);
        let mut kernel = Kernel::new(&kernels::batch_norm_max_pool2d)
            .fill_all(bias)
            .with("CHANNELS", cx.index(channels)?)
            .with("PLANES", cx.index(planes)?)
            // Four windows of four elements.
            .iterations(4 * (1 + 3))
            .epilogue_calls(16);
        for (name, value) in windows(cx, &pooled)? {
            kernel = kernel.with(name, value);
        }
        if let Some(activation) = self.activation {
            let operator: Arc<dyn Operator> = Arc::new(activation);
            let ty = TensorType::f32(pooled);
            let pointwise = operator.pointwise(&[&ty]).expect("activations are pointwise");
            cx.chain.insert(0, EpilogueOp::new(operator, pointwise, vec![Argument::Chain], ty.shape));
        }
        let mut operands = vec![cx.input(0), cx.output(1)];
        operands.extend(operand);
        operands.extend([cx.output(0), cx.output(self.taps())]);
        cx.dispatch_combined(kernel, &operands, taps.shape.elements().div_ceil(64), 1);
        Ok(())
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        self.norm.in_place()
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        9 * inputs[0].shape.elements() as u64
    }
}

/// The gradient of [`BatchNormMaxPool`]; its input already contains the activation's slope. Inputs: x, the gradient
/// of the pooled tensor times the activation's slope, statistics, the winning taps. Outputs as [`BatchNormGrad`].
#[derive(Clone, Debug, PartialEq, Default)]
pub struct BatchNormMaxPoolGrad(pub BatchNormGrad);

impl Operator for BatchNormMaxPoolGrad {
    fn name(&self) -> &'static str {
        "batch_norm_max_pool2d_grad"
    }

    fn arity(&self) -> (usize, usize) {
        (4, 4)
    }

    fn describe(&self) -> String {
        "max_pool2d_grad + batch_norm_grad".into()
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let channels = expect_pooled(inputs[0])?;
        let (shape, taps) = pooled(&inputs[0].shape);
        check_each(&inputs[1..2], &["the pooled gradient"], &TensorType::f32(shape))?;
        check_each(&inputs[2..3], &["statistics"], &TensorType::f32([channels, 4]))?;
        check_each(&inputs[3..], &["the winning taps"], &taps)?;
        Ok(self.0.outputs(inputs[0], channels))
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        VARIANTS.to_vec()
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        PREFERENCE
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let shape = cx.input_type(0).shape.clone();
        let (pooled, _) = pooled(&shape);
        let constants = windows(cx, &pooled)?;
        let (x, gradient, statistics, taps) = (cx.input(0), cx.input(1), cx.input(2), cx.input(3));
        let terms = Terms {
            file: &parts::batch_norm_grad_pooled_terms,
            constants: &constants,
            operands: vec![x.clone(), gradient.clone(), statistics.clone(), taps.clone()],
            statistics,
        };
        let split = ChannelSplit::single(&pooled, cx.variant());
        let lines = self.0.lower_sums(cx, split, shape.elements() / shape[1], terms)?;
        let operands = [x, gradient, taps, lines, cx.output(0)];
        apply(cx, &parts::gradient_pooled, &constants, &operands)
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        serial_terms(&inputs[0].shape, variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        6 * inputs[0].shape.elements() as u64
    }
}
