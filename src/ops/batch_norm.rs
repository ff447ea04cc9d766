//! Batch normalisation over the channels of (N, C) and (N, C, ...): in training by the batch's own
//! statistics, in evaluation by the running ones, and both gradients.
//!
//! A channel's elements are reduced by several workgroups where they are many. Those leave partial
//! results in scratch memory, and every workgroup of the next dispatch merges the few of its own
//! channel in order, so that no dispatch is spent on it. The backward rules take up nothing but the
//! inputs and the statistics.

use super::Operator;
use crate::error::Result;
use crate::graph::{Backward, Graph, Mode, Value};
use crate::plan::{Caps, Lower};
use crate::reference::{Array, batch_norm as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{DType, Shape, TensorType};

static GROUP: ShaderFile = shader_file!("shared/group");
static PACK_1: ShaderFile = shader_file!("shared/pack_1");
static PACK_4: ShaderFile = shader_file!("shared/pack_4");
static CHANNELS: ShaderFile = shader_file!("shared/channels");
static MOMENTS: ShaderFile = shader_file!("shared/moments");
static CHANNEL_SUMS: ShaderFile = shader_file!("shared/channel_sums");
static TRAIN_MOMENTS: ShaderFile = shader_file!("batch_norm_moments");
static TRAIN: ShaderFile = shader_file!("batch_norm");
static TRAIN_GRAD_SUMS: ShaderFile = shader_file!("batch_norm_grad_sums");
static TRAIN_GRAD: ShaderFile = shader_file!("batch_norm_grad");
static EVAL: ShaderFile = shader_file!("batch_norm_eval");
static EVAL_GRAD: ShaderFile = shader_file!("batch_norm_eval_grad");
static EVAL_GRAD_PARAMETERS: ShaderFile = shader_file!("batch_norm_eval_grad_parameters");

/// How a channel is cut among workgroups. A GPU wants many of them at once, and wide ones; a software
/// adapter pays for each, and for each step of a wide one's tree.
const VARIANTS: [&str; 2] = ["wide", "narrow"];

/// Attributes of batch normalisation, with PyTorch's names and defaults.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchNorm {
    /// Added to the variance, under the root.
    pub eps: f32,
    /// Share of the batch's statistics in the new running ones.
    pub momentum: f32,
}

impl Default for BatchNorm {
    fn default() -> Self {
        BatchNorm { eps: 1e-5, momentum: 0.1 }
    }
}

impl BatchNorm {
    /// The square root must exist where a channel is constant, and statistics stay finite.
    fn check(&self) -> Result<(), String> {
        if !(self.eps > 0.0 && self.eps.is_finite()) {
            return Err(format!("eps must be above 0, found {}", self.eps));
        }
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(format!("momentum must be between 0 and 1, found {}", self.momentum));
        }
        Ok(())
    }
}

/// The number of channels, for an input of at least two dimensions.
fn channels(x: &TensorType) -> Result<usize, String> {
    if x.dtype != DType::F32 || x.shape.len() < 2 {
        return Err(format!("expected f32 of shape (N, C) or (N, C, ...), found {x}"));
    }
    Ok(x.shape[1])
}

fn check_each(inputs: &[&TensorType], names: &[&str], expected: &TensorType) -> Result<(), String> {
    match inputs.iter().zip(names).find(|(kind, _)| **kind != expected) {
        Some((found, name)) => Err(format!("expected {name} as {expected}, found {found}")),
        None => Ok(()),
    }
}

/// How a tensor's channels are cut among workgroups: the constants of `shared/channels`.
struct Cut {
    pack: &'static ShaderFile,
    lanes: usize,
    lanes_c: usize,
    channels: usize,
    plane: usize,
    packs: usize,
    part_packs: usize,
    parts: usize,
}

impl Cut {
    fn new(shape: &Shape, variant: &str) -> Cut {
        let channels = shape[1];
        let plane: usize = shape[2..].iter().product();
        let (pack, width) = if plane.is_multiple_of(4) { (&PACK_4, 4) } else { (&PACK_1, 1) };
        let packs = shape[0] * plane / width;
        let (lanes, wanted) = if variant == "wide" { (256, 512) } else { (64, 16) };
        // Channels that lie side by side go to lanes side by side, so that loads coalesce.
        let lanes_c = if plane == 1 { channels.next_power_of_two().min(16) } else { 1 };
        let blocks = channels.div_ceil(lanes_c);
        // A part is worth a workgroup when its lanes have a few packs each.
        let worth = packs.div_ceil(4 * lanes / lanes_c);
        let parts = (wanted / blocks).min(worth).clamp(1, 64);
        let part_packs = packs.div_ceil(parts);
        let parts = packs.div_ceil(part_packs);
        Cut { pack, lanes, lanes_c, channels, plane: plane / width, packs, part_packs, parts }
    }

    /// A kernel of `main`, the files it needs and the constants of the cut.
    fn kernel(
        &self,
        cx: &Lower<'_>,
        needs: &[&'static ShaderFile],
        main: &'static ShaderFile,
    ) -> Result<Kernel> {
        let mut files = vec![&GROUP, self.pack, &CHANNELS];
        files.extend(needs);
        files.push(main);
        Ok(Kernel::new(&files)
            .with("LANES", cx.index(self.lanes)?)
            .with("LANES_C", cx.index(self.lanes_c)?)
            .with("CHANNELS", cx.index(self.channels)?)
            .with("PLANE", cx.index(self.plane)?)
            .with("PACKS", cx.index(self.packs)?)
            .with("PART_PACKS", cx.index(self.part_packs)?)
            .with("PARTS", cx.index(self.parts)?))
    }

    fn workgroups(&self) -> usize {
        self.channels.div_ceil(self.lanes_c) * self.parts
    }

    /// Elements of a buffer of one pair a part.
    fn pairs(&self) -> usize {
        2 * self.channels * self.parts
    }
}

/// Normalises by the batch's statistics. Inputs: x (N, C, ...), and (C) each: weight, bias, running
/// mean, running variance. Outputs: y; statistics (2, C) for [`BatchNormGrad`], which are the mean
/// less the channel's first element (a mean far from zero would lose digits in f32) and one over the
/// standard deviation; and in place the new running mean and variance. The variance is the biased one for y, the unbiased one where it
/// runs.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormTrain(pub BatchNorm);

impl Operator for BatchNormTrain {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.0.check()?;
        let channels = channels(inputs[0])?;
        let each = TensorType::f32([channels]);
        check_each(&inputs[1..], &["weight", "bias", "running_mean", "running_var"], &each)?;
        if inputs[0].shape.elements() == channels {
            return Err(format!("expected more than 1 value per channel when training, found {}", inputs[0]));
        }
        Ok(vec![inputs[0].clone(), TensorType::f32([2, channels]), each.clone(), each])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let inputs = [cx.input(0), gradient, cx.input(1), cx.output(1)];
        for (i, gradient) in cx.apply(BatchNormGrad, &inputs)?.into_iter().enumerate() {
            cx.set(i, gradient);
        }
        Ok(())
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        VARIANTS.to_vec()
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let cut = Cut::new(&cx.input_type(0).shape, cx.variant());
        let partial = cx.temporary(cut.pairs());
        let moments = cut.kernel(cx, &[&MOMENTS], &TRAIN_MOMENTS)?;
        let operands = [cx.input(0), partial.clone()];
        cx.dispatch(moments, &operands, cut.workgroups());
        let normalise = cut
            .kernel(cx, &[&MOMENTS], &TRAIN)?
            .with("EPSILON", self.0.eps)
            .with("MOMENTUM", self.0.momentum);
        let operands = [
            cx.input(0),
            cx.input(1),
            cx.input(2),
            partial,
            cx.output(0),
            cx.output(1),
            cx.output(2),
            cx.output(3),
        ];
        cx.dispatch(normalise, &operands, cut.workgroups());
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, weight, bias, mean, var] = [0, 1, 2, 3, 4].map(|i| inputs[i]);
        reference::train(x, weight, bias, mean, var, &self.0)
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(2, 3), (3, 4)]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        8 * inputs[0].shape.elements() as u64
    }
}

/// The gradient of [`BatchNormTrain`]. Inputs: x, the gradient of y, weight, statistics. Outputs: the
/// gradients of x, weight and bias.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormGrad;

impl Operator for BatchNormGrad {
    fn name(&self) -> &'static str {
        "batch_norm_grad"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let channels = channels(inputs[0])?;
        let each = TensorType::f32([channels]);
        check_each(&inputs[1..2], &["the output's gradient"], inputs[0])?;
        check_each(&inputs[2..3], &["weight"], &each)?;
        check_each(&inputs[3..], &["statistics"], &TensorType::f32([2, channels]))?;
        Ok(vec![inputs[0].clone(), each.clone(), each])
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        VARIANTS.to_vec()
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let cut = Cut::new(&cx.input_type(0).shape, cx.variant());
        let partial = cx.temporary(cut.pairs());
        let sums = cut.kernel(cx, &[&CHANNEL_SUMS], &TRAIN_GRAD_SUMS)?;
        let operands = [cx.input(0), cx.input(1), cx.input(3), partial.clone()];
        cx.dispatch(sums, &operands, cut.workgroups());
        let spread = cut.kernel(cx, &[], &TRAIN_GRAD)?;
        let operands = [
            cx.input(0),
            cx.input(1),
            cx.input(2),
            cx.input(3),
            partial,
            cx.output(0),
            cx.output(1),
            cx.output(2),
        ];
        cx.dispatch(spread, &operands, cut.workgroups());
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        reference::train_grad(inputs[0], inputs[1], inputs[2], inputs[3])
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        9 * inputs[0].shape.elements() as u64
    }
}

/// Normalises by the running statistics. Inputs: x (N, C, ...), and (C) each: weight, bias, running
/// mean, running variance. Output: y.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormEval(pub BatchNorm);

impl Operator for BatchNormEval {
    fn name(&self) -> &'static str {
        "batch_norm_eval"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.0.check()?;
        let each = TensorType::f32([channels(inputs[0])?]);
        check_each(&inputs[1..], &["weight", "bias", "running_mean", "running_var"], &each)?;
        Ok(vec![inputs[0].clone()])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let inputs = [cx.input(0), gradient, cx.input(1), cx.input(3), cx.input(4)];
        for (i, gradient) in cx.apply(BatchNormEvalGrad(self.0), &inputs)?.into_iter().enumerate() {
            cx.set(i, gradient);
        }
        Ok(())
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        VARIANTS.to_vec()
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let cut = Cut::new(&cx.input_type(0).shape, cx.variant());
        let kernel = cut.kernel(cx, &[], &EVAL)?.with("EPSILON", self.0.eps);
        let operands = [cx.input(0), cx.input(1), cx.input(2), cx.input(3), cx.input(4), cx.output(0)];
        cx.dispatch(kernel, &operands, cut.workgroups());
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::eval(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], &self.0)]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        3 * inputs[0].shape.elements() as u64
    }
}

/// The gradient of [`BatchNormEval`]. Inputs: x, the gradient of y, weight, running mean, running
/// variance. Outputs: the gradients of x, weight and bias.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormEvalGrad(pub BatchNorm);

impl Operator for BatchNormEvalGrad {
    fn name(&self) -> &'static str {
        "batch_norm_eval_grad"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.0.check()?;
        let each = TensorType::f32([channels(inputs[0])?]);
        check_each(&inputs[1..2], &["the output's gradient"], inputs[0])?;
        check_each(&inputs[2..], &["weight", "running_mean", "running_var"], &each)?;
        Ok(vec![inputs[0].clone(), each.clone(), each])
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        VARIANTS.to_vec()
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let cut = Cut::new(&cx.input_type(0).shape, cx.variant());
        let partial = cx.temporary(cut.pairs());
        let kernel = cut.kernel(cx, &[&CHANNEL_SUMS], &EVAL_GRAD)?.with("EPSILON", self.0.eps);
        let operands =
            [cx.input(0), cx.input(1), cx.input(2), cx.input(3), cx.input(4), cx.output(0), partial.clone()];
        cx.dispatch(kernel, &operands, cut.workgroups());
        let kernel = Kernel::new(&[&GROUP, &EVAL_GRAD_PARAMETERS])
            .with("EPSILON", self.0.eps)
            .with("CHANNELS", cx.index(cut.channels)?)
            .with("PARTS", cx.index(cut.parts)?);
        let operands = [cx.input(4), partial, cx.output(1), cx.output(2)];
        cx.dispatch(kernel, &operands, cut.channels.div_ceil(64));
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        reference::eval_grad(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], &self.0)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        5 * inputs[0].shape.elements() as u64
    }
}

impl Graph {
    /// Normalises each channel of `x` (N, C) or (N, C, ...), then scales by `weight` and shifts by
    /// `bias`. In [`Mode::Train`] by the batch's mean and variance, and `running_mean` and
    /// `running_var` move to them in place; in [`Mode::Eval`] by the running ones. All four are (C).
    ///
    /// # Errors
    /// Another rank, type or number of channels; one value per channel in training; an `eps` not
    /// above 0 or a `momentum` outside 0 to 1; running statistics that were updated earlier in the
    /// graph.
    #[allow(clippy::too_many_arguments, reason = "PyTorch's list")]
    pub fn batch_norm(
        &mut self,
        x: Value,
        weight: Value,
        bias: Value,
        running_mean: Value,
        running_var: Value,
        attributes: BatchNorm,
        mode: Mode,
    ) -> Result<Value> {
        let inputs = [x, weight, bias, running_mean, running_var];
        match mode {
            Mode::Train => Ok(self.apply(BatchNormTrain(attributes), &inputs)?[0]),
            Mode::Eval => self.apply1(BatchNormEval(attributes), &inputs),
        }
    }
}
