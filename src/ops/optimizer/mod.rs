//! Updates of parameters, of accumulated gradients and of averages. One dispatch walks all parameters of a group,
//! because they, their gradients and the optimizer's state lie in arenas in the same order (`plan/arena.rs`).
//!
//! An [`Update`] is the walk. A [`Rule`] is its function of one element; each has a file. Users build these through
//! [`crate::optim`]. Hyperparameters are f64, because a decay rate's distance from one must not be rounded to f32 too
//! early.

mod accumulate;
mod adadelta;
mod adagrad;
mod adam;
mod clip;
mod ema;
mod lerp;
mod lion;
mod nadam;
mod rmsprop;
mod scale;
mod sgd;

pub use accumulate::AccumulateRule;
pub use adadelta::AdadeltaRule;
pub use adagrad::AdagradRule;
pub use adam::AdamRule;
pub use clip::Clip;
pub use ema::EmaRule;
pub use lerp::LerpRule;
pub use lion::LionRule;
pub use nadam::NadamRule;
pub use rmsprop::RmspropRule;
pub use scale::Scaling;
pub use sgd::SgdRule;

use crate::error::{Error, Result};
use crate::op::occupancy::{ITEMS, LANES};
use crate::op::{LowerContext, Operand, Operator};
use crate::shader::{Kernel, ShaderFile, kernels, parts};
use crate::tensor::{DType, Shape, TensorType};
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// Vectors of four that an invocation updates if it has to compute the norm first.
const ITEMS_WITH_NORM: usize = 16;

/// Names of the state kept for each parameter. Kernels call the three slots a, b and c.
pub type Slots = [Option<&'static str>; 3];

/// The rule by which an update changes each element.
pub trait Rule: RuleReference + Debug + Send + Sync + 'static {
    /// Name of the operator.
    fn name(&self) -> &'static str;

    /// Whether the rule has a learning rate.
    fn has_rate(&self) -> bool {
        true
    }

    /// The state that the rule keeps for each parameter.
    fn slots(&self) -> Slots {
        [None; 3]
    }

    /// Initial value of state.
    fn first_state(&self) -> f32 {
        0.0
    }

    /// Checks the hyperparameters.
    ///
    /// # Errors
    /// A hyperparameter out of its range.
    fn check(&self) -> Result<()>;

    /// The WGSL file that fills the hole `rule` of the kernel `update`: with `Scales`, `scales` and `update`.
    fn file(&self) -> &'static ShaderFile;

    /// Loop iterations of one call of `scales` at most, which calls what the file uses twice at most;
    /// `update` has no loops.
    fn iterations(&self) -> u64 {
        2 * self.file().iterations()
    }

    /// Sets the constants of the file.
    fn constants(&self, kernel: Kernel) -> Kernel;

    /// Records a dispatch that computes from the step's number what would be equal in every invocation, and returns
    /// its operand, at binding 4.
    ///
    /// # Errors
    /// An index that does not fit 32 bits.
    fn prepare(&self, _cx: &mut LowerContext<'_>, _step: &Operand, _every: u32) -> Result<Option<Operand>> {
        Ok(None)
    }

    /// Whether an element that is zero, with zero gradient and state, may become NaN by 0 / 0.
    fn fills_padding(&self) -> bool {
        false
    }
}

/// A rule for one element, in f64. The compiler demands it of every [`Rule`].
pub trait RuleReference {
    /// The update of one element.
    fn reference(&self, element: &mut Element);
}

/// One element in an update.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Element {
    /// The parameter, first old, then new.
    pub parameter: f64,
    /// Its gradient, clipped.
    pub gradient: f64,
    /// State by slot, first old, then new.
    pub state: [f64; 3],
    /// The learning rate.
    pub rate: f64,
    /// Number of updates before this one.
    pub updates: f64,
}

/// Parameters that one rule updates.
#[derive(Clone, Debug)]
pub struct Group {
    /// The rule.
    pub rule: Arc<dyn Rule>,
    /// Number of parameters.
    pub parameters: usize,
}

impl Group {
    /// Parameters that this rule updates.
    pub fn new(rule: impl Rule, parameters: usize) -> Self {
        Group { rule: Arc::new(rule), parameters }
    }
}

/// One step of an optimizer, whose groups have the same kind of rule.
///
/// Inputs: parameters, gradients, and a run for each kind of state that any group keeps, each in the order of the
/// groups; then the learning rate of each group (f32 scalars), if the rule has one; then, with scaling, the loss's scale and
/// the number of updates since it changed (one f32 each); and the step counter. Outputs: new parameters, new state, and with
/// scaling the new scale and number, in place.
#[derive(Clone, Debug)]
pub struct Update {
    /// Groups of parameters, in the order of the inputs.
    pub groups: Vec<Group>,
    /// Clipping of the gradients, for all groups together.
    pub clip: Clip,
    /// The update runs in steps whose number, counted from 1, is a multiple of this, and counts only those. Other
    /// steps change nothing.
    pub every: u32,
    /// If the gradients are those of a scaled loss, how to unscale them.
    pub scaling: Option<Scaling>,
}

impl Update {
    /// An update by one rule in every step, without clipping.
    pub fn new(rule: impl Rule, parameters: usize) -> Self {
        Update { groups: vec![Group::new(rule, parameters)], clip: Clip::default(), every: 1, scaling: None }
    }

    /// Number of parameters of all groups.
    pub fn parameters(&self) -> usize {
        self.groups.iter().fold(0, |sum, group| sum.saturating_add(group.parameters))
    }

    /// The state kept for each parameter: everything that any group needs.
    pub fn slots(&self) -> Slots {
        let mut slots = [None; 3];
        for group in &self.groups {
            for (slot, own) in slots.iter_mut().zip(group.rule.slots()) {
                *slot = slot.or(own);
            }
        }
        slots
    }

    fn runs(&self) -> usize {
        2 + self.slots().iter().flatten().count()
    }

    pub(crate) fn has_rate(&self) -> bool {
        self.groups.first().is_some_and(|group| group.rule.has_rate())
    }

    fn rates(&self) -> usize {
        if self.has_rate() { self.groups.len() } else { 0 }
    }

    /// Inputs of scaling: the scale, and the number of updates since it changed.
    fn scales(&self) -> Range<usize> {
        let first = self.runs().saturating_mul(self.parameters()).saturating_add(self.rates());
        first..first.saturating_add(if self.scaling.is_some() { 2 } else { 0 })
    }

    /// The kernel of a group, and the operand that clipping takes.
    fn kernel(
        &self,
        cx: &LowerContext<'_>,
        group: &Group,
        squares: Option<&clip::Squares>,
        verdict: Option<&Operand>,
    ) -> Result<(Kernel, Option<Operand>)> {
        let runs = [&parts::update_run_a, &parts::update_run_b, &parts::update_run_c];
        let kept = self.slots().into_iter().zip(runs).filter_map(|(slot, run)| slot.map(|_| run));
        let kernel = Kernel::new(&kernels::update).named(group.rule.name());
        let kernel = kernel.fill(group.rule.file()).fill_all(kept);
        match verdict {
            Some(verdict) => {
                let kernel = self.clip.fill_value(kernel).fill(&parts::loss_scale_of_update);
                Ok((kernel, Some(verdict.clone())))
            }
            None => self.clip.update(cx, squares, kernel),
        }
    }
}

impl Operator for Update {
    fn name(&self) -> &'static str {
        self.groups.first().map_or("update", |group| group.rule.name())
    }

    fn arity(&self) -> (usize, usize) {
        let inputs = self.scales().end.saturating_add(1);
        (inputs, inputs)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let (parameters, runs) = (self.parameters(), self.runs());
        let expected = self.scales().end + 1;
        if self.groups.iter().any(|group| group.parameters == 0) || parameters == 0 || self.every == 0 {
            return Err(
                "there must be a parameter in each group, and an update in each 1 or more steps".into()
            );
        }
        if let Some(other) = self.groups.iter().find(|group| group.rule.name() != self.name()) {
            return Err(format!(
                "its groups must have one kind of rule, found {} and {}",
                self.name(),
                other.rule.name()
            ));
        }
        if inputs.len() != expected {
            return Err(format!("{parameters} parameters need {expected} inputs, found {}", inputs.len()));
        }
        let (tensors, scalars) = inputs.split_at(runs * parameters);
        for (i, tensor) in tensors.iter().enumerate() {
            let parameter = tensors[i % parameters];
            if parameter.dtype != DType::F32 || *tensor != parameter {
                return Err(format!(
                    "parameter {} is {parameter}, so its gradient and state must be; found {tensor}",
                    i % parameters
                ));
            }
        }
        let (step, scalars) = scalars.split_last().expect("the number of inputs was checked");
        let (rates, scales) = scalars.split_at(self.rates());
        if let Some(scale) = scales.iter().find(|ty| ty.dtype != DType::F32 || ty.shape.elements() != 1) {
            return Err(format!("the loss's scale must be one f32, found {scale}"));
        }
        if let Some(rate) = rates.iter().find(|rate| ***rate != TensorType::f32(Shape::scalar())) {
            return Err(format!("the learning rate must be an f32 scalar, found {rate}"));
        }
        if **step != TensorType::u32(Shape::scalar()) {
            return Err(format!("the last input must be the step counter, found {step}"));
        }
        Ok(self.in_place().into_iter().map(|(_, input)| inputs[input].clone()).collect())
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let (parameters, runs) = (self.parameters(), self.runs());
        let scales = self.scales();
        let step = cx.input(scales.end);
        let scale = self.scaling.map(|_| cx.input(scales.start));
        let squares = self.clip.lower_squares(cx, parameters, &step, self.every, scale.as_ref())?;
        let verdict = match (self.scaling, &squares) {
            (Some(scaling), Some(squares)) => {
                let state = [cx.input(scales.start), cx.input(scales.start + 1), step.clone()];
                Some(scaling.lower(cx, squares, self.clip.norm, self.every, state)?)
            }
            _ => None,
        };
        let items = if verdict.is_some() { ITEMS } else { self.clip.items() };
        let mut first = 0;
        for (number, group) in self.groups.iter().enumerate() {
            let prepared = group.rule.prepare(cx, &step, self.every)?;
            let own = first..first + group.parameters;
            for page in cx.pages() {
                let run = page.start.max(own.start)..page.end.min(own.end);
                if run.is_empty() {
                    continue;
                }
                let vectors = cx.run_elements(run.clone()) / 4;
                let (kernel, parts) = self.kernel(cx, group, squares.as_ref(), verdict.as_ref())?;
                let kernel = kernel
                    .with("VECTORS", cx.index(vectors)?)
                    .with("EVERY", self.every)
                    .with("ITEMS", items as u32)
                    .iterations(items as u64 + group.rule.iterations());
                let mut operands: Vec<_> = (0..runs).map(|i| cx.run(shifted(&run, i * parameters))).collect();
                operands.extend(prepared.clone());
                if self.has_rate() {
                    operands.push(cx.input(runs * parameters + number));
                }
                operands.push(step.clone());
                operands.extend(parts);
                let kernel = group.rule.constants(kernel);
                cx.dispatch_epilogue(kernel, &operands, vectors.div_ceil(LANES * items), 4);
            }
            first = own.end;
        }
        Ok(())
    }

    /// Every run but the second, the gradients, is written, and so is the scale.
    fn in_place(&self) -> Vec<(usize, usize)> {
        let (parameters, runs) = (self.parameters(), self.runs());
        (0..parameters).chain(2 * parameters..runs * parameters).chain(self.scales()).enumerate().collect()
    }

    fn loss_scale(&self) -> Option<usize> {
        self.scaling.map(|_| self.scales().start)
    }

    fn fills_padding(&self) -> bool {
        self.groups.iter().any(|group| group.rule.fills_padding())
    }

    fn arenas(&self) -> Vec<Range<usize>> {
        let parameters = self.parameters();
        (0..self.runs()).map(|run| run * parameters..(run + 1) * parameters).collect()
    }
}

fn shifted(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

/// Fails unless `value` passes; the message says what was expected.
pub(crate) fn require(setting: &'static str, value: f64, passes: bool, expected: &str) -> Result<()> {
    if passes {
        return Ok(());
    }
    Err(Error::Setting { setting, message: format!("must be {expected}, found {value}") })
}

/// Weight decay must not be negative.
pub(crate) fn require_weight_decay(value: f64) -> Result<()> {
    require("weight_decay", value, value >= 0.0 && finite_f32(value), "at least 0 and finite")
}

/// Whether a hyperparameter is finite as f32, which kernels use.
fn finite_f32(value: f64) -> bool {
    value.abs() <= f64::from(f32::MAX)
}

/// A decay of a running mean.
pub(crate) fn require_decay(setting: &'static str, value: f64) -> Result<()> {
    require(setting, value, (0.0..1.0).contains(&value), "at least 0 and below 1")
}

/// Checks a number that is added to a divisor. With 0, an element whose gradients were all 0 becomes NaN, as in
/// PyTorch. A number that f32 rounds to 0 would do the same without being asked to.
pub(crate) fn require_eps(eps: f64) -> Result<()> {
    let passes = eps == 0.0 || eps >= f64::from(f32::MIN_POSITIVE) && finite_f32(eps);
    require("eps", eps, passes, "0, or at least f32's smallest normal number and finite")
}

/// The logarithm of a decay. For zero it is clamped to a number whose powers vanish in every step.
fn logarithm(decay: f64) -> f32 {
    decay.ln().max(-100.0) as f32
}
