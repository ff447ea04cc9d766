//! Optimizer updates. One dispatch walks all parameters of the model, because they, their
//! gradients and the optimizer's state lie in arenas in one order (`plan/arena.rs`).
//!
//! Users build these through [`crate::optim`]. Hyperparameters are f64, since a decay rate's
//! distance from one must not be rounded to f32 too early.

use super::Operator;
use crate::error::Result;
use crate::plan::{AdapterKind, Lower, Operand};
use crate::reference::{Array, optimizer as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{DType, Shape, TensorType};
use std::ops::Range;

static GROUP: ShaderFile = shader_file!("shared/group");
static TEAM: ShaderFile = shader_file!("shared/team");
static CLIP_VALUE: ShaderFile = shader_file!("shared/clip_value");
static CLIP_VALUE_NONE: ShaderFile = shader_file!("shared/clip_value_none");
static CLIP_NORM: ShaderFile = shader_file!("shared/clip_norm");
static CLIP_NORM_NONE: ShaderFile = shader_file!("shared/clip_norm_none");
static SQUARES: ShaderFile = shader_file!("gradient_squares");
static SGD: ShaderFile = shader_file!("sgd_update");
static SGD_MOMENTUM: ShaderFile = shader_file!("sgd_update_momentum");
static ADAM: ShaderFile = shader_file!("adam_update");

/// Invocations of a workgroup, and how many vectors of four each updates in turn; more where each has
/// to find the norm first.
const LANES: usize = 64;
const ITEMS: usize = 4;
const ITEMS_WITH_NORM: usize = 16;

/// What is done to the gradients before an update uses them: first the one, then the other.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Clip {
    /// Each element is brought between minus this and this, as by `torch.nn.utils.clip_grad_value_`.
    pub value: Option<f64>,
    /// All gradients of the update are scaled by min(1, this / (norm + 1e-6)), where norm is the root
    /// of the sum of all their squares, as by `torch.nn.utils.clip_grad_norm_`.
    pub norm: Option<f64>,
}

/// The first pass of clipping by norm: parts of the sum of squares, over all pages.
struct Squares {
    parts: Operand,
    count: usize,
}

impl Clip {
    /// Vectors of four that an invocation of the update makes.
    fn items(&self) -> usize {
        if self.norm.is_some() { ITEMS_WITH_NORM } else { ITEMS }
    }

    fn value_file(&self) -> &'static ShaderFile {
        if self.value.is_some() { &CLIP_VALUE } else { &CLIP_VALUE_NONE }
    }

    fn with_value(&self, kernel: Kernel) -> Kernel {
        match self.value {
            Some(value) => kernel.with("CLIP_VALUE", value as f32),
            None => kernel,
        }
    }

    /// Records the sums of squares of the gradients, which start at input `gradients`.
    fn lower_squares(&self, cx: &mut Lower<'_>, gradients: usize) -> Result<Option<Squares>> {
        if self.norm.is_none() {
            return Ok(None);
        }
        // Each part is a workgroup here, and a load in every invocation of the update. A software
        // adapter has few cores to feed, and loads are what costs there.
        let most = if cx.caps().kind == AdapterKind::Software { 16 } else { 256 };
        let pages: Vec<(Range<usize>, usize)> = cx
            .pages()
            .into_iter()
            .map(|page| {
                let run = shifted(&page, gradients);
                let vectors = cx.run_elements(run.clone()) / 4;
                // The update loads parts in fours.
                let parts = vectors.div_ceil(LANES * ITEMS).min(most).next_multiple_of(4);
                (run, parts)
            })
            .collect();
        let count = pages.iter().map(|page| page.1).sum();
        let squares = cx.temporary(count);
        let mut first = 0;
        for (run, parts) in pages {
            let vectors = cx.run_elements(run.clone()) / 4;
            let kernel = Kernel::new(&[&GROUP, &TEAM, self.value_file(), &SQUARES])
                .with("VECTORS", cx.index(vectors)?)
                .with("FIRST_PART", cx.index(first)?)
                .with("PARTS", cx.index(parts)?)
                .with("PART_VECTORS", cx.index(vectors.div_ceil(parts))?);
            let operands = [cx.run(run), squares.clone()];
            cx.dispatch(self.with_value(kernel), &operands, parts);
            first += parts;
        }
        Ok(Some(Squares { parts: squares, count }))
    }

    /// The update's kernel `main` with what clips its gradients, and the operand that takes, if any.
    fn update(
        &self,
        cx: &Lower<'_>,
        squares: Option<&Squares>,
        main: &'static ShaderFile,
    ) -> Result<(Kernel, Option<Operand>)> {
        let (Some(norm), Some(squares)) = (self.norm, squares) else {
            let kernel = Kernel::new(&[&GROUP, self.value_file(), &CLIP_NORM_NONE, main]);
            return Ok((self.with_value(kernel), None));
        };
        let kernel = Kernel::new(&[&GROUP, self.value_file(), &CLIP_NORM, main])
            .with("CLIP_NORM", norm as f32)
            .with("PARTS", cx.index(squares.count)?);
        Ok((self.with_value(kernel), Some(squares.parts.clone())))
    }
}

/// A step of stochastic gradient descent, as `torch.optim.SGD` makes it.
///
/// Inputs: parameters, gradients, with momentum as many momentum buffers, the learning rate (f32
/// scalar), with momentum the step counter. Outputs: new parameters, new momentum buffers, in place.
#[derive(Clone, PartialEq, Debug)]
pub struct SgdUpdate {
    /// Number of parameters.
    pub parameters: usize,
    /// Factor of the momentum buffer; 0 for none.
    pub momentum: f64,
    /// Part of the gradient that does not enter the momentum buffer, except in step 0.
    pub dampening: f64,
    /// Factor of the parameter that is added to its gradient.
    pub weight_decay: f64,
    /// Whether the step looks ahead along the momentum.
    pub nesterov: bool,
    /// What is done to the gradients first.
    pub clip: Clip,
}

impl SgdUpdate {
    fn has_momentum(&self) -> bool {
        self.momentum != 0.0
    }

    fn runs(&self) -> usize {
        if self.has_momentum() { 3 } else { 2 }
    }
}

impl Operator for SgdUpdate {
    fn name(&self) -> &'static str {
        "sgd_update"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        infer(self.parameters, self.runs(), self.has_momentum(), inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let scalars = self.runs() * self.parameters;
        let squares = self.clip.lower_squares(cx, self.parameters)?;
        let file = if self.has_momentum() { &SGD_MOMENTUM } else { &SGD };
        for page in cx.pages() {
            let vectors = cx.run_elements(page.clone()) / 4;
            let (kernel, parts) = self.clip.update(cx, squares.as_ref(), file)?;
            let mut kernel = kernel
                .with("VECTORS", cx.index(vectors)?)
                .with("WEIGHT_DECAY", self.weight_decay as f32)
                .with("ITEMS", self.clip.items() as u32);
            let mut operands: Vec<_> =
                (0..self.runs()).map(|run| cx.run(shifted(&page, run * self.parameters))).collect();
            operands.push(cx.input(scalars));
            if self.has_momentum() {
                kernel = kernel
                    .with("MOMENTUM", self.momentum as f32)
                    .with("SHARE", (1.0 - self.dampening) as f32)
                    .with("NESTEROV", self.nesterov);
                operands.push(cx.input(scalars + 1));
            }
            operands.extend(parts);
            cx.dispatch(kernel, &operands, vectors.div_ceil(LANES * self.clip.items()));
        }
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        reference::sgd(self, inputs)
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        in_place(self.parameters, self.runs())
    }

    fn arenas(&self) -> Vec<Range<usize>> {
        arenas(self.parameters, self.runs())
    }
}

/// A step of Adam or AdamW, as `torch.optim` makes it.
///
/// Inputs: parameters, gradients, running means of the gradients, running means of their squares,
/// the learning rate (f32 scalar), the step counter. Outputs: new parameters, new means of both
/// kinds, in place.
#[derive(Clone, PartialEq, Debug)]
pub struct AdamUpdate {
    /// Number of parameters.
    pub parameters: usize,
    /// Decay of the gradients' mean.
    pub beta1: f64,
    /// Decay of the squares' mean.
    pub beta2: f64,
    /// Added to the root of the squares' mean.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Whether weights decay by themselves (AdamW) and not through the gradient (Adam).
    pub decoupled: bool,
    /// What is done to the gradients first.
    pub clip: Clip,
}

impl Operator for AdamUpdate {
    fn name(&self) -> &'static str {
        "adam_update"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        infer(self.parameters, 4, true, inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        // The logarithm of a decay of zero is clamped to where its power is nothing in any step.
        let logarithm = |beta: f64| beta.ln().max(-100.0) as f32;
        let squares = self.clip.lower_squares(cx, self.parameters)?;
        for page in cx.pages() {
            let vectors = cx.run_elements(page.clone()) / 4;
            let (kernel, parts) = self.clip.update(cx, squares.as_ref(), &ADAM)?;
            let kernel = kernel
                .with("VECTORS", cx.index(vectors)?)
                .with("BETA2", self.beta2 as f32)
                .with("ONE_LESS_BETA1", (1.0 - self.beta1) as f32)
                .with("ONE_LESS_BETA2", (1.0 - self.beta2) as f32)
                .with("LOG_BETA1", logarithm(self.beta1))
                .with("LOG_BETA2", logarithm(self.beta2))
                .with("EPS", self.eps as f32)
                .with("WEIGHT_DECAY", self.weight_decay as f32)
                .with("DECOUPLED", self.decoupled)
                .with("ITEMS", self.clip.items() as u32);
            let mut operands: Vec<_> =
                (0..4).map(|run| cx.run(shifted(&page, run * self.parameters))).collect();
            operands.extend([cx.input(4 * self.parameters), cx.input(4 * self.parameters + 1)]);
            operands.extend(parts);
            cx.dispatch(kernel, &operands, vectors.div_ceil(LANES * self.clip.items()));
        }
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        reference::adam(self, inputs)
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        in_place(self.parameters, 4)
    }

    fn arenas(&self) -> Vec<Range<usize>> {
        arenas(self.parameters, 4)
    }
}

fn shifted(page: &Range<usize>, by: usize) -> Range<usize> {
    page.start + by..page.end + by
}

/// Every run but the second, the gradients, is written.
fn in_place(parameters: usize, runs: usize) -> Vec<(usize, usize)> {
    (0..parameters).chain(2 * parameters..runs * parameters).enumerate().collect()
}

fn arenas(parameters: usize, runs: usize) -> Vec<Range<usize>> {
    (0..runs).map(|run| run * parameters..(run + 1) * parameters).collect()
}

/// Types of the outputs of an update over `runs` runs, the learning rate and perhaps the step.
fn infer(
    parameters: usize,
    runs: usize,
    step: bool,
    inputs: &[&TensorType],
) -> Result<Vec<TensorType>, String> {
    let expected = runs * parameters + 1 + usize::from(step);
    if parameters == 0 || inputs.len() != expected {
        return Err(format!(
            "{parameters} parameters need {expected} inputs, found {}; there must be a parameter",
            inputs.len()
        ));
    }
    for i in 0..runs * parameters {
        let parameter = inputs[i % parameters];
        if parameter.dtype != DType::F32 || inputs[i] != parameter {
            return Err(format!(
                "parameter {} is {parameter}, so its gradient and state must be; found {}",
                i % parameters,
                inputs[i]
            ));
        }
    }
    let rate = inputs[runs * parameters];
    if *rate != TensorType::f32(Shape::scalar()) {
        return Err(format!("the learning rate must be an f32 scalar, found {rate}"));
    }
    if step && *inputs[expected - 1] != TensorType::u32(Shape::scalar()) {
        return Err(format!("the last input must be the step counter, found {}", inputs[expected - 1]));
    }
    Ok(in_place(parameters, runs).into_iter().map(|(_, input)| inputs[input].clone()).collect())
}
