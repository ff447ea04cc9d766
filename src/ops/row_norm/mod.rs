//! Normalisation of rows: layer norm, group norm and instance norm.
//!
//! All three normalise rows of neighbouring elements by the row's own statistics, in training and in evaluation. They
//! differ in the length of a row and in which weight an element has. This file has the attributes, the forward pass
//! and the graph's methods; `gradients` has the backward passes. A team of invocations makes a row. Few long rows are
//! divided into parts instead, and batch norm's reductions run with the rows as channels.

mod gradients;

pub use gradients::{RowNormGrad, RowNormGradParameters};

use super::batch_norm::{ChannelSplit, Finalizer, flat, moments};
use super::loops::{fits, shared, tree};
use super::pack::pack;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::occupancy::{self, LANES};
use crate::op::{
    Argument, BackwardContext, Caps, EpilogueOp, IndexMap, LowerContext, Operator, Pointwise, Preference,
    Variant,
};
use crate::ops::batch_norm::{NARROW, WIDE};
use crate::ops::checks;
use crate::ops::serial;
use crate::shader::{Kernel, ShaderFile, kernels, parts};
use crate::tensor::{Shape, TensorType};
use std::sync::Arc;

/// Batch norm's division among many workgroups.
const SPLIT: Variant = WIDE;

const PARTS: Variant = Variant::new("parts");

/// The preference of row norm and of its gradient.
const PREFERENCE: Preference = Preference::gpus(&[PARTS, WIDE], &[NARROW]);

/// Loop iterations of an invocation of a team: at most three passes over its packs, and two trees.
fn team_iterations(terms: usize, team: usize) -> u64 {
    3 * shared(terms / pack(terms).0, team) + 2 * tree(team)
}

/// The elements that are normalised together, and those that share a weight.
#[derive(Clone, PartialEq, Debug)]
pub enum Rows {
    /// The last dimensions, of these sizes; each element of a row has a weight.
    Layer {
        /// PyTorch's `normalized_shape`.
        normalized_shape: Shape,
    },
    /// Groups of neighbouring channels of (N, C, ...); each channel has a weight.
    Group {
        /// PyTorch's `num_groups`.
        groups: usize,
    },
    /// Each channel of (N, C, ...) alone; each channel has a weight.
    Instance,
}

/// `(x - mean) / sqrt(variance + eps)` over each row, times a weight, plus a bias. The variance is the biased one.
/// Inputs: x; the weight and the bias, if there are. Outputs: y, and the statistics of the rows (rows, 4) for the
/// gradients: the first element, the mean minus that (a mean far from zero would lose digits in f32), and twice one
/// over the standard deviation.
#[derive(Clone, PartialEq, Debug)]
pub struct RowNorm {
    /// The elements that are normalised together.
    pub rows: Rows,
    /// Added to the variance, under the root.
    pub eps: f32,
    /// Whether there is a weight.
    pub weight: bool,
    /// Whether there is a bias.
    pub bias: bool,
}

impl RowNorm {
    fn check(&self, x: &TensorType) -> Result<(), String> {
        if !(self.eps > 0.0 && self.eps.is_finite()) {
            return Err(format!("eps must be above 0, found {}", self.eps));
        }
        checks::f32_input(x)?;
        let shape = &x.shape;
        match &self.rows {
            Rows::Layer { normalized_shape } if normalized_shape.is_empty() => Err(
                "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = []".into(),
            ),
            Rows::Layer { normalized_shape } if !shape.ends_with(normalized_shape) => {
                let sizes = normalized_shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
                Err(format!(
                    "Given normalized_shape=[{sizes}], expected input with shape [*, {sizes}], but got input of size {shape}"
                ))
            }
            Rows::Group { .. } if shape.len() < 2 => {
                Err(format!("Expected at least 2 dimensions for input tensor but received {}", shape.len()))
            }
            &Rows::Group { groups } if groups == 0 || !shape[1].is_multiple_of(groups) => Err(format!(
                "Expected number of channels in input to be divisible by num_groups, but got input of shape {shape} and num_groups={groups}"
            )),
            Rows::Instance if shape.len() < 3 => {
                Err(format!("expected (N, C, ...) with at least 3 dimensions, found {x}"))
            }
            Rows::Instance if shape[2..].iter().all(|&size| size == 1) => {
                Err(format!("Expected more than 1 spatial element when training, got input size {shape}"))
            }
            _ => Ok(()),
        }
    }

    /// Elements of a row.
    fn terms(&self, x: &Shape) -> usize {
        match &self.rows {
            Rows::Layer { normalized_shape } => normalized_shape.elements(),
            Rows::Group { groups } => x[1..].iter().product::<usize>() / groups,
            Rows::Instance => x[2..].iter().product(),
        }
    }

    /// The shape of weight and bias.
    fn parameters(&self, x: &Shape) -> Shape {
        match &self.rows {
            Rows::Layer { normalized_shape } => normalized_shape.clone(),
            Rows::Group { .. } | Rows::Instance => [x[1]].into(),
        }
    }

    /// The index map from elements to weights.
    fn index_map(&self, x: &Shape) -> IndexMap {
        let channels = self.parameters(x).elements();
        let plane = match &self.rows {
            Rows::Layer { .. } => 1,
            Rows::Group { .. } | Rows::Instance => x[2..].iter().product(),
        };
        IndexMap::Channel { channels, plane }
    }

    /// The tensor as (1, rows, terms): rows become batch norm's channels.
    fn as_channels(&self, x: &Shape) -> Shape {
        let terms = self.terms(x);
        [1, x.elements() / terms, terms].into()
    }

    /// Whether rows are too few to keep a GPU busy, and long enough to be split.
    fn is_long(&self, x: &Shape) -> bool {
        let terms = self.terms(x);
        let (rows, long) = occupancy::FEW_ROWS;
        terms >= long && x.elements() / terms < rows
    }

    /// A GPU needs many invocations with a few packs each. A software adapter pays for each barrier, so as few
    /// invocations as possible share a row.
    fn variants(&self, x: &Shape) -> Vec<Variant> {
        // For such long rows both variants would use whole teams.
        if !fits(team_iterations(self.terms(x), LANES)) {
            return vec![PARTS];
        }
        if self.is_long(x) { vec![WIDE, NARROW, PARTS] } else { vec![WIDE, NARROW] }
    }

    /// A kernel in which a team makes a row, with its workgroups and elements in a pack.
    fn teams(&self, cx: &LowerContext<'_>, main: &'static ShaderFile) -> Result<(Kernel, usize, usize)> {
        let shape = &cx.input_type(0).shape;
        let terms = self.terms(shape);
        let rows = shape.elements() / terms;
        let (width, pack) = pack(terms);
        let packs = terms / width;
        let team = if cx.variant() == NARROW {
            // Enough workgroups for a few threads, and sums that are short enough for their rounding.
            let (teams, most) = occupancy::NARROW_TEAMS;
            (teams / rows).max(packs / most)
        } else {
            packs.div_ceil(4)
        };
        let team = team.clamp(1, LANES).next_power_of_two();
        let each = packs.div_ceil(team);
        let kernel = Kernel::new(main)
            .fill(pack)
            .with("TEAM", team as u32)
            .with("ROWS", cx.index(rows)?)
            .with("PACKS", cx.index(packs)?)
            .iterations(team_iterations(terms, team))
            .epilogue_calls(each as u64);
        Ok((kernel, rows.div_ceil(LANES / team), width))
    }

    /// Puts weight and bias in front of the epilogue.
    fn chain_affine(&self, cx: &mut LowerContext<'_>) {
        let function = match (self.weight, self.bias) {
            (false, false) => return,
            (true, true) => "affine",
            (true, false) => "affine_weight",
            (false, true) => "affine_bias",
        };
        let shape = cx.input_type(0).shape.clone();
        let own = &cx.node.inputs[1..];
        let mut index_map = vec![self.index_map(&shape); 1 + own.len()];
        index_map[0] = IndexMap::Same;
        let pointwise = Pointwise { file: &parts::affine, function, index_map, numbers: Vec::new() };
        let inputs = [Argument::Chain].into_iter().chain(own.iter().copied().map(Argument::Tensor)).collect();
        let operator = Arc::clone(&cx.node.operator);
        cx.chain.insert(0, EpilogueOp::new(operator, pointwise, inputs, shape));
    }
}

impl Operator for RowNorm {
    fn name(&self) -> &'static str {
        match self.rows {
            Rows::Layer { .. } => "layer_norm",
            Rows::Group { .. } => "group_norm",
            Rows::Instance => "instance_norm",
        }
    }

    fn arity(&self) -> (usize, usize) {
        let inputs = 1 + usize::from(self.weight) + usize::from(self.bias);
        (inputs, inputs)
    }

    /// Statistics do.
    fn keeps_f32(&self, output: usize) -> bool {
        output > 0
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.check(inputs[0])?;
        let shape = &inputs[0].shape;
        let expected = TensorType::f32(self.parameters(shape));
        let names = [self.weight.then_some("weight"), self.bias.then_some("bias")];
        let names: Vec<&str> = names.into_iter().flatten().collect();
        if inputs.len() != 1 + names.len() {
            return Err(format!("expected {} inputs besides x, found {}", names.len(), inputs.len() - 1));
        }
        if let Some((name, found)) = names.iter().zip(&inputs[1..]).find(|(_, found)| ***found != expected) {
            return Err(format!("expected {name} as {expected} for an input of {shape}, found {found}"));
        }
        Ok(vec![inputs[0].clone(), TensorType::f32([shape.elements() / self.terms(shape), 4])])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let (x, gradient, statistics) = (cx.input(0), cx.output_gradient(0)?, cx.output(1));
        if cx.wants(0) {
            let mut inputs = vec![x, gradient, statistics];
            inputs.extend(self.weight.then(|| cx.input(1)));
            let gradient = cx.apply1(RowNormGrad(self.clone()), &inputs)?;
            cx.set(0, gradient);
        }
        let parameters = 1..cx.inputs();
        if parameters.clone().any(|i| cx.wants(i)) {
            let found = cx.apply(RowNormGradParameters(self.clone()), &[x, gradient, statistics])?;
            if self.weight {
                cx.set(1, found[0]);
            }
            if self.bias {
                cx.set(parameters.end - 1, found[1]);
            }
        }
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        self.variants(&inputs[0].shape)
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        PREFERENCE
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        self.chain_affine(cx);
        let (x, y, statistics) = (cx.input(0), cx.output(0), cx.output(1));
        if cx.variant() != PARTS {
            let (kernel, groups, width) = self.teams(cx, &kernels::row_norm)?;
            cx.dispatch_epilogue(kernel.with("EPSILON", self.eps), &[x, y, statistics], groups, width);
            return Ok(());
        }
        let shape = self.as_channels(&cx.input_type(0).shape);
        let finalizer = Finalizer {
            files: &[&parts::batch_norm_finalize],
            constants: &[("EPSILON", self.eps), ("ELEMENTS", shape[2] as f32)],
            operands: vec![statistics.clone()],
        };
        moments(cx, &ChannelSplit::new(&shape, SPLIT), x.clone(), finalizer)?;
        let (kernel, groups, width) = flat(cx, &shape, &parts::batch_norm_apply)?;
        cx.dispatch_epilogue(kernel, &[x, statistics, y], groups, width);
        Ok(())
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        serial::shared(self.terms(&inputs[0].shape), 64)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        8 * inputs[0].shape.elements() as u64
    }
}

impl Graph {
    /// Normalises each row of `x` by its own mean and variance, where a row is the last dimensions, of the sizes
    /// `normalized_shape`; then scales by `weight` and shifts by `bias`, both of `normalized_shape` (Ba, Kiros and
    /// Hinton, "Layer Normalization", 2016). The same in training and evaluation.
    ///
    /// # Errors
    /// Last dimensions of other sizes, a weight or a bias of another shape, an `eps` not above 0.
    pub fn layer_norm(
        &mut self,
        x: Value,
        normalized_shape: impl Into<Shape>,
        weight: Option<Value>,
        bias: Option<Value>,
        eps: f32,
    ) -> Result<Value> {
        self.row_norm(x, Rows::Layer { normalized_shape: normalized_shape.into() }, weight, bias, eps)
    }

    /// Normalises `groups` groups of neighbouring channels of each sample of `x` (N, C, ...) by their own mean and
    /// variance; then scales by `weight` and shifts by `bias`, (C) each (Wu and He, "Group Normalization", 2018). The
    /// same in training and evaluation.
    ///
    /// # Errors
    /// Groups that do not divide the channels, fewer than two dimensions, a weight or a bias of another
    /// shape, an `eps` not above 0.
    pub fn group_norm(
        &mut self,
        x: Value,
        groups: usize,
        weight: Option<Value>,
        bias: Option<Value>,
        eps: f32,
    ) -> Result<Value> {
        self.row_norm(x, Rows::Group { groups }, weight, bias, eps)
    }

    /// Normalises each channel of each sample of `x` (N, C, ...) by its own mean and variance; then scales by
    /// `weight` and shifts by `bias`, (C) each (Ulyanov, Vedaldi and Lempitsky, "Instance Normalization", 2016). The
    /// same in training and evaluation.
    ///
    /// # Errors
    /// Fewer than three dimensions, a single element in a channel, a weight or a bias of another shape, an
    /// `eps` not above 0.
    pub fn instance_norm(
        &mut self,
        x: Value,
        weight: Option<Value>,
        bias: Option<Value>,
        eps: f32,
    ) -> Result<Value> {
        self.row_norm(x, Rows::Instance, weight, bias, eps)
    }

    fn row_norm(
        &mut self,
        x: Value,
        rows: Rows,
        weight: Option<Value>,
        bias: Option<Value>,
        eps: f32,
    ) -> Result<Value> {
        let operator = RowNorm { rows, eps, weight: weight.is_some(), bias: bias.is_some() };
        let inputs: Vec<Value> = [Some(x), weight, bias].into_iter().flatten().collect();
        Ok(self.apply(operator, &inputs)?[0])
    }
}
