//! Muon: momentum whose matrices are made orthogonal.

use super::described::{pairs, trained};
use super::gradients::{check, lerp, placed, state};
use super::optimizer::Condition;
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Value};
use crate::ops::matmul::MatMul;
use crate::ops::optimizer::{require, require_decay, require_eps, require_weight_decay};

/// How far a step goes, by the shape of the weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum RateAdjustment {
    /// By the rate, whatever the shape.
    None,
    /// By the rate times the root of rows / columns, at least 1: PyTorch's `original`.
    #[default]
    Original,
    /// By the rate times 0.2 sqrt(max(rows, columns)), which makes steps as large as AdamW's: PyTorch's
    /// `match_rms_adamw`.
    MatchRmsAdamw,
}

impl RateAdjustment {
    fn factor(self, rows: usize, columns: usize) -> f64 {
        match self {
            RateAdjustment::None => 1.0,
            RateAdjustment::Original => (rows as f64 / columns as f64).max(1.0).sqrt(),
            RateAdjustment::MatchRmsAdamw => 0.2 * (rows.max(columns) as f64).sqrt(),
        }
    }
}

/// Muon, as `torch.optim.Muon` (Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural networks"): steps
/// along the momentum, whose matrix is first made nearly orthogonal, so that all its directions count alike. A few
/// iterations of Newton and Schulz do this, by matrix products in f32 where PyTorch's have bf16.
///
/// It is for weights of two or more dimensions, such as those of convolutions and hidden linear layers; a weight counts as
/// a matrix of its first size by the product of all others. Leave biases, normalisation and the last layer to another
/// optimizer, by [`only`](Muon::only) here and there:
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::nn::{self, Layer};
/// use wgrad::optim::{AdamW, Muon};
/// use wgrad::{Graph, Mode};
///
/// let net = nn::Sequential::new()
///     .add("body", nn::Linear::new(16, 8))
///     .add("relu", nn::Relu)
///     .add("head", nn::Linear::new(8, 4));
/// let mut g = Graph::new();
/// let x = g.input("x", [32, 16])?;
/// let labels = g.input_i32("labels", 32)?;
/// let logits = net.forward(&mut g, x, Mode::Train)?;
/// let loss = g.cross_entropy(logits, labels)?;
/// let gradients = g.backward(loss)?;
/// let (fast, slow) = (g.input_scalar("fast")?, g.input_scalar("slow")?);
/// let matrix = |name: &str| name == "body.weight";
/// Muon::new(fast).only(matrix).apply(&mut g, &gradients)?;
/// AdamW::new(slow).only(move |name| !matrix(name)).apply(&mut g, &gradients)?;
/// # Ok(())
/// # }
/// ```
///
/// The momentum is state of the graph, named after its parameter: `body.weight.momentum_buffer`.
#[derive(Clone, Debug)]
#[must_use = "an optimizer does nothing until minimize is called"]
pub struct Muon {
    rate: Value,
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    coefficients: [f64; 3],
    eps: f64,
    ns_steps: u32,
    adjust_rate: RateAdjustment,
    normalize_weights: bool,
    only: Vec<Condition>,
}

impl Muon {
    /// PyTorch's defaults, with the learning rate in the scalar `rate`.
    pub fn new(rate: Value) -> Self {
        Muon {
            rate,
            momentum: 0.95,
            nesterov: true,
            weight_decay: 0.1,
            coefficients: [3.4445, -4.7750, 2.0315],
            eps: 1e-7,
            ns_steps: 5,
            adjust_rate: RateAdjustment::default(),
            normalize_weights: false,
            only: Vec::new(),
        }
    }

    setters! {
        /// Sets the decay of the gradients' mean, 0.95 by default.
        momentum: f64;
        /// Sets whether momentum is Nesterov's. It is by default.
        nesterov: bool;
        /// Sets the decoupled weight decay, `p -= rate weight_decay p`; 0.1 by default.
        weight_decay: f64;
        /// Sets the coefficients a, b, c of an iteration, `X = a X + (b X X^T + c (X X^T)^2) X`; 3.4445, -4.7750 and 2.0315
        /// by default.
        coefficients: [f64; 3];
        /// Sets the least norm that a matrix is divided by, 1e-7 by default.
        eps: f64;
        /// Sets the number of iterations, 5 by default.
        ns_steps: u32;
        /// Sets how far a step goes by the weight's shape: PyTorch's `adjust_lr_fn`.
        adjust_rate: RateAdjustment;
        /// Sets whether each weight is scaled before its step so that its norm is the root of its rows, as in airbench.
        /// Off by default.
        normalize_weights: bool;
    }

    /// Trains only the parameters for whose name `condition` holds. If there are several conditions, one has to hold.
    pub fn only(mut self, condition: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.only.push(Condition::new(condition));
        self
    }

    /// Appends the gradients of the scalar `loss` and the update of every parameter that it depends on and that this
    /// optimizer trains.
    ///
    /// # Errors
    /// As [`Optimizer::minimize`](super::Optimizer::minimize); a parameter of fewer than two dimensions.
    pub fn minimize(&self, graph: &mut Graph, loss: Value) -> Result<()> {
        self.check()?;
        let pairs =
            pairs(graph, loss, None, |graph, parameters| trained(graph, parameters, &self.only, &[], []))?;
        self.update(graph, &pairs)
    }

    /// Appends the update of the given parameters that this optimizer trains, by their gradients.
    ///
    /// # Errors
    /// As [`Optimizer::apply`](super::Optimizer::apply); a parameter of fewer than two dimensions.
    pub fn apply(&self, graph: &mut Graph, pairs: &[(Value, Value)]) -> Result<()> {
        graph.check_owned(pairs.iter().map(|&(parameter, _)| parameter))?;
        let parameters: Vec<Value> = pairs.iter().map(|&(parameter, _)| parameter).collect();
        let parameters = trained(graph, &parameters, &self.only, &[], [])?;
        let pairs: Vec<_> = pairs.iter().copied().filter(|(p, _)| parameters.contains(p)).collect();
        self.update(graph, &pairs)
    }

    fn check(&self) -> Result<()> {
        require_decay("momentum", self.momentum)?;
        require_weight_decay(self.weight_decay)?;
        require_eps(self.eps)?;
        for coefficient in self.coefficients {
            require("coefficients", coefficient, coefficient.is_finite(), "finite")?;
        }
        // PyTorch's limit; each iteration is three matrix products.
        require("ns_steps", self.ns_steps.into(), self.ns_steps < 100, "below 100")
    }

    fn update(&self, graph: &mut Graph, pairs: &[(Value, Value)]) -> Result<()> {
        self.check()?;
        check(graph, pairs)?;
        for &(parameter, _) in pairs {
            let info = graph.info(parameter);
            if info.ty.shape.len() < 2 {
                return Err(Error::Value {
                    name: info.name.clone(),
                    message: format!(
                        "Muon takes weights of two or more dimensions, found {}; choose them by Muon::only",
                        info.ty
                    ),
                });
            }
        }
        let parameters: Vec<Value> = pairs.iter().map(|&(parameter, _)| parameter).collect();
        let gradients = placed(graph, pairs)?;
        let buffers = state(graph, &parameters, "momentum_buffer", |_, _| Init::Constant(0.0))?;
        let buffers = lerp(graph, &buffers, &gradients, 1.0 - self.momentum, 1)?;
        let mut moved = Vec::with_capacity(pairs.len());
        for ((&parameter, gradient), buffer) in parameters.iter().zip(gradients).zip(buffers) {
            let name = graph.info(parameter).name.clone();
            let step = |g: &mut Graph| self.moved(g, parameter, gradient, buffer);
            moved.push((parameter, graph.unscoped(|g| g.scoped(&name, |g| g.scoped("muon", step)))?));
        }
        let moved = placed(graph, &moved)?;
        lerp(graph, &parameters, &moved, 1.0, 1)?;
        Ok(())
    }

    /// The parameter after its step.
    fn moved(&self, g: &mut Graph, parameter: Value, gradient: Value, buffer: Value) -> Result<Value> {
        let shape = g.shape_of(parameter).clone();
        let (rows, columns) = (shape[0], shape[1..].iter().product());
        let direction = if self.nesterov {
            let (new, old) =
                (g.scale(gradient, (1.0 - self.momentum) as f32)?, g.scale(buffer, self.momentum as f32)?);
            g.add(new, old)?
        } else {
            buffer
        };
        let matrix = g.reshape(direction, [rows, columns])?;
        let orthogonal = self.orthogonal(g, matrix, rows > columns)?;
        let step = g.scale(orthogonal, self.adjust_rate.factor(rows, columns) as f32)?;
        let step = g.mul(step, self.rate)?;
        let mut weight = g.reshape(parameter, [rows, columns])?;
        if self.normalize_weights {
            let norm = g.vector_norm(weight, 2.0, &[0, 1], true)?;
            weight = g.div(weight, norm)?;
            weight = g.scale(weight, (rows as f64).sqrt() as f32)?;
        }
        if self.weight_decay > 0.0 {
            let decay = g.scale(self.rate, -self.weight_decay as f32)?;
            let kept = g.shift(decay, 1.0)?;
            weight = g.mul(weight, kept)?;
        }
        let moved = g.sub(weight, step)?;
        g.reshape(moved, shape)
    }

    /// The matrix with all singular values near 1.
    fn orthogonal(&self, g: &mut Graph, matrix: Value, tall: bool) -> Result<Value> {
        let [a, b, c] = self.coefficients.map(|x| x as f32);
        let norm = g.vector_norm(matrix, 2.0, &[0, 1], true)?;
        let norm = g.clamp(norm, Some(self.eps as f32), None)?;
        let mut x = g.div(matrix, norm)?;
        for _ in 0..self.ns_steps {
            // The smaller of the two products of the matrix with itself.
            let gram = MatMul { transpose_lhs: tall, transpose_rhs: !tall };
            let gram = g.apply1(gram, &[x, x])?;
            let square = g.matmul(gram, gram)?;
            let (gram, square) = (g.scale(gram, b)?, g.scale(square, c)?);
            let factor = g.add(gram, square)?;
            let turned = if tall { g.matmul(x, factor)? } else { g.matmul(factor, x)? };
            let kept = g.scale(x, a)?;
            x = g.add(kept, turned)?;
        }
        Ok(x)
    }
}
