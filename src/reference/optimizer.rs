//! Optimizer updates, element by element, as PyTorch's documentation states them.

use crate::op::{Array, Reference};
use crate::ops::optimizer::{
    AccumulateRule, AdadeltaRule, AdagradRule, AdamRule, Clip, Element, EmaRule, LerpRule, LionRule,
    NadamRule, RmspropRule, RuleReference, SgdRule, Update,
};

/// The gradients as an update uses them: by value first, then by the norm of all of them.
fn clipped(clip: Clip, gradients: &[&Array]) -> Vec<Array> {
    // `f64::clamp` keeps NaN.
    let by_value = |g: f64| clip.value.map_or(g, |limit| g.clamp(-limit, limit));
    let gradients: Vec<Array> = gradients.iter().map(|g| g.map(by_value)).collect();
    let Some(limit) = clip.norm else { return gradients };
    let squares: f64 = gradients.iter().flat_map(|g| &g.data).map(|g| g * g).sum();
    let scale = limit / (squares.sqrt() + 1e-6);
    let scale = if scale > 1.0 { 1.0 } else { scale };
    gradients.iter().map(|gradient| gradient.map(|g| g * scale)).collect()
}

/// New parameters, then new state of each kind.
impl Reference for Update {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let count = self.parameters();
        let slots: Vec<usize> = (0..3).filter(|&slot| self.slots()[slot].is_some()).collect();
        let runs = 2 + slots.len();
        let mut outputs: Vec<Array> = inputs[..count]
            .iter()
            .chain(&inputs[2 * count..runs * count])
            .chain(&inputs[inputs.len() - 1 - if self.scaling.is_some() { 2 } else { 0 }..inputs.len() - 1])
            .map(|&array| array.clone())
            .collect();
        let step = inputs[inputs.len() - 1].data[0];
        let every = f64::from(self.every);
        if step % every != every - 1.0 {
            return outputs;
        }
        let mut plain: Vec<Array> =
            inputs[count..2 * count].iter().map(|&gradient| gradient.clone()).collect();
        if let Some(scaling) = self.scaling {
            let at = inputs.len() - 3;
            let (scale, good) = (inputs[at].data[0], inputs[at + 1].data[0] + 1.0);
            plain = plain.iter().map(|gradient| gradient.map(|g| g / scale)).collect();
            let overflow = plain.iter().flat_map(|gradient| &gradient.data).any(|g| !g.is_finite());
            let grows = good >= f64::from(scaling.growth_interval);
            let (next, good) = match overflow {
                true => ((0.5 * scale).max(1.0), 0.0),
                false if grows => (2.0 * scale, 0.0),
                false => (scale, good),
            };
            let end = outputs.len();
            (outputs[end - 2].data[0], outputs[end - 1].data[0]) = (next, good);
            if overflow {
                return outputs;
            }
        }
        let gradients = clipped(self.clip, &plain.iter().collect::<Vec<_>>());
        let rules = self
            .groups
            .iter()
            .enumerate()
            .flat_map(|(number, group)| std::iter::repeat_n((number, &group.rule), group.parameters));
        for (i, (number, rule)) in rules.enumerate() {
            let rate = if self.has_rate() { inputs[runs * count + number].data[0] } else { f64::NAN };
            for j in 0..inputs[i].data.len() {
                let mut state = [0.0; 3];
                for (run, &slot) in slots.iter().enumerate() {
                    state[slot] = inputs[(2 + run) * count + i].data[j];
                }
                let mut element = Element {
                    parameter: inputs[i].data[j],
                    gradient: gradients[i].data[j],
                    state,
                    rate,
                    updates: (step / every).floor(),
                };
                rule.reference(&mut element);
                outputs[i].data[j] = element.parameter;
                for (run, &slot) in slots.iter().enumerate() {
                    outputs[(1 + run) * count + i].data[j] = element.state[slot];
                }
            }
        }
        outputs
    }
}

/// The part of a parameter by which it decays. Without decay it is zero, even if the parameter is not finite.
fn decay_of(parameter: f64, decay: f64) -> f64 {
    if decay == 0.0 { 0.0 } else { decay * parameter }
}

/// `decay mean + (1 - decay) new`
fn decayed(mean: f64, new: f64, decay: f64) -> f64 {
    decay * mean + (1.0 - decay) * new
}

/// SGD. The state is the momentum buffer.
impl RuleReference for SgdRule {
    fn reference(&self, e: &mut Element) {
        let direction = e.gradient + decay_of(e.parameter, self.weight_decay);
        let mut taken = direction;
        if self.momentum == 0.0 {
            // The buffer only exists because other groups use it.
            e.state[0] = direction;
        } else {
            let share = if e.updates == 0.0 { 1.0 } else { 1.0 - self.dampening };
            let buffer = self.momentum * e.state[0] + share * direction;
            taken = if self.nesterov { direction + self.momentum * buffer } else { buffer };
            e.state[0] = buffer;
        }
        e.parameter -= e.rate * taken;
    }
}

/// Adam and AdamW; the state is the mean of gradients, of their squares, and the largest of the latter.
impl<const DECOUPLED: bool> RuleReference for AdamRule<DECOUPLED> {
    fn reference(&self, e: &mut Element) {
        if DECOUPLED {
            e.parameter -= decay_of(e.parameter, e.rate * self.weight_decay);
        } else {
            e.gradient += decay_of(e.parameter, self.weight_decay);
        }
        let (beta1, beta2) = self.betas;
        let t = e.updates + 1.0;
        let mean = decayed(e.state[0], e.gradient, beta1);
        let square = decayed(e.state[1], e.gradient * e.gradient, beta2);
        let mut spread = square;
        e.state[0] = mean;
        e.state[1] = square;
        if self.amsgrad {
            e.state[2] = if square > e.state[2] || square.is_nan() { square } else { e.state[2] };
            spread = e.state[2];
        }
        let (first, second) = (1.0 - beta1.powf(t), 1.0 - beta2.powf(t));
        e.parameter -= e.rate * (mean / first) / ((spread / second).sqrt() + self.eps);
    }
}

/// NAdam; the state is the mean of gradients and of their squares.
impl RuleReference for NadamRule {
    fn reference(&self, e: &mut Element) {
        if self.decoupled {
            e.parameter -= decay_of(e.parameter, e.rate * self.weight_decay);
        } else {
            e.gradient += decay_of(e.parameter, self.weight_decay);
        }
        let (beta1, beta2) = self.betas;
        let t = e.updates + 1.0;
        let mu = |t: f64| beta1 * (1.0 - 0.5 * 0.96f64.powf(t * self.momentum_decay));
        let mut product = 1.0;
        let mut i = 1.0;
        while i <= t && product > 1e-30 {
            product *= mu(i);
            i += 1.0;
        }
        e.state[0] = decayed(e.state[0], e.gradient, beta1);
        e.state[1] = decayed(e.state[1], e.gradient * e.gradient, beta2);
        let root = (e.state[1] / (1.0 - beta2.powf(t))).sqrt() + self.eps;
        e.parameter -= e.rate * (1.0 - mu(t)) / (1.0 - product) * e.gradient / root;
        e.parameter -= e.rate * mu(t + 1.0) / (1.0 - product * mu(t + 1.0)) * e.state[0] / root;
    }
}

/// RMSprop; the state is the mean of squares, the mean of gradients, and the momentum buffer.
impl RuleReference for RmspropRule {
    fn reference(&self, e: &mut Element) {
        let gradient = e.gradient + decay_of(e.parameter, self.weight_decay);
        e.state[0] = decayed(e.state[0], gradient * gradient, self.alpha);
        let mut spread = e.state[0];
        if self.centered {
            e.state[1] = decayed(e.state[1], gradient, self.alpha);
            spread -= e.state[1] * e.state[1];
            spread = if spread < 0.0 { 0.0 } else { spread };
        }
        e.state[2] = self.momentum * e.state[2] + gradient / (spread.sqrt() + self.eps);
        e.parameter -= e.rate * e.state[2];
    }
}

/// Adagrad; the state is the sum of squares.
impl RuleReference for AdagradRule {
    fn reference(&self, e: &mut Element) {
        let gradient = e.gradient + decay_of(e.parameter, self.weight_decay);
        e.state[0] += gradient * gradient;
        let rate = e.rate / (1.0 + e.updates * self.lr_decay);
        e.parameter -= rate * gradient / (e.state[0].sqrt() + self.eps);
    }
}

/// Adadelta; the state is the mean of the gradients' squares and of the changes' squares.
impl RuleReference for AdadeltaRule {
    fn reference(&self, e: &mut Element) {
        let gradient = e.gradient + decay_of(e.parameter, self.weight_decay);
        e.state[0] = decayed(e.state[0], gradient * gradient, self.rho);
        let change = ((e.state[1] + self.eps) / (e.state[0] + self.eps)).sqrt() * gradient;
        e.state[1] = decayed(e.state[1], change * change, self.rho);
        e.parameter -= e.rate * change;
    }
}

/// A step towards what is in the gradient's place.
impl RuleReference for LerpRule {
    fn reference(&self, e: &mut Element) {
        e.parameter = (1.0 - e.rate) * e.parameter + e.rate * e.gradient;
    }
}

/// Lion; the state is the mean of gradients.
impl RuleReference for LionRule {
    fn reference(&self, e: &mut Element) {
        let direction = decayed(e.state[0], e.gradient, self.betas.0);
        // `signum` has a sign for zero too.
        let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
        e.state[0] = decayed(e.state[0], e.gradient, self.betas.1);
        e.parameter -= e.rate * (sign + decay_of(e.parameter, self.weight_decay));
    }
}

/// Averages: the parameter is the average here, the gradient the parameter.
impl RuleReference for EmaRule {
    fn reference(&self, e: &mut Element) {
        let mut decay = self.decay;
        if self.warm_up {
            decay = decay.min((1.0 + e.updates) / (10.0 + e.updates));
        }
        if e.updates == 0.0 {
            decay = 0.0;
        }
        e.parameter = decayed(e.parameter, e.gradient, decay);
    }
}

/// Means of gradients: the parameter is the sum so far.
impl RuleReference for AccumulateRule {
    fn reference(&self, e: &mut Element) {
        let steps = f64::from(self.steps);
        let so_far = if e.updates % steps == 0.0 { 0.0 } else { e.parameter };
        e.parameter = so_far + e.gradient / steps;
    }
}
