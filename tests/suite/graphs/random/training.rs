//! Gradients of random networks, and optimizers and schedules with any settings.

use super::build::Network;
use super::numbers::Random;
use wgrad::optim::{self, Adadelta, Adagrad, Adam, AdamW, Ema, Lion, Nadam, Rmsprop, Sgd};
use wgrad::{Result, Value};

impl Network<'_> {
    /// Gradients of a loss, and an optimizer's update.
    pub fn train(&mut self) {
        if self.random.once_in(3) {
            return;
        }
        let trained = (|| -> Result<()> {
            let x = self.float();
            let loss = if self.random.once_in(30) { x } else { self.graph.sum(x, &[], false)? };
            self.values.push(loss);
            if self.random.once_in(3) {
                let by: Vec<Value> = (0..3).map(|_| self.value()).collect();
                let gradients = self.graph.gradients(loss, &by)?;
                self.values.extend(gradients.into_iter().flatten());
                if self.random.once_in(2) {
                    return Ok(());
                }
            }
            self.minimize(loss)
        })();
        self.refused.extend(trained.err());
    }

    pub(super) fn minimize(&mut self, loss: Value) -> Result<()> {
        let rate = self.graph.input_scalar("rate")?;
        let random = &mut *self.random;
        let mut number = || f64::from(random.number());
        let (a, b, c) = (number(), number() / 2.0, number() / 2.0);
        let eps = [1e-8, 0.0, a][random.below(3)];
        let graph = &mut self.graph;
        macro_rules! minimize {
            ($optimizer:expr) => {{
                let mut optimizer = $optimizer;
                if random.once_in(3) {
                    optimizer = optimizer.clip_norm(f64::from(random.number()));
                }
                if random.once_in(4) {
                    optimizer = optimizer.clip_value(f64::from(random.number()));
                }
                if random.once_in(4) {
                    optimizer = optimizer.accumulate(random.amount(4) as u32);
                }
                if random.once_in(4) {
                    optimizer = optimizer.average(Ema::new(0.9).warm_up(random.once_in(2)));
                }
                if random.once_in(4) {
                    optimizer = optimizer.freeze(|name| name.ends_with("0"));
                }
                if random.once_in(4) {
                    optimizer = optimizer.group(|name| name.ends_with("1"), |group| group.weight_decay(0.5));
                }
                optimizer.minimize(graph, loss)
            }};
        }
        match random.below(9) {
            0 => minimize!(Sgd::new(rate)),
            1 => minimize!(Sgd::new(rate).momentum(b).dampening(c).nesterov(a > 1.0).weight_decay(a)),
            2 => minimize!(Adam::new(rate).eps(eps).amsgrad(a > 1.0)),
            3 => minimize!(AdamW::new(rate).betas(b, c).weight_decay(a)),
            4 => minimize!(Nadam::new(rate).eps(eps).momentum_decay(a)),
            5 => minimize!(Rmsprop::new(rate).alpha(b).eps(eps).momentum(c).centered(a > 1.0)),
            6 => minimize!(Adagrad::new(rate).lr_decay(a).eps(eps).initial_accumulator_value(b)),
            7 => minimize!(Adadelta::new(rate).rho(b).eps(eps)),
            _ => minimize!(Lion::new(rate).betas(b, c)),
        }
    }
}

/// Schedules take any numbers, too, at any step.
#[test]
fn schedules_of_any_numbers_have_rates_at_any_step() {
    for seed in 0..3000 {
        let random = &mut Random::new(seed);
        let mut schedule: Option<optim::Schedule> = None;
        for _ in 0..random.between(1, 5) {
            let [a, b, c] = [0; 3].map(|_| f64::from(random.number()));
            let [steps, growth] = [0; 2].map(|_| random.attribute(20) as u64);
            let made = match random.below(8) {
                0 => optim::Schedule::reduced(a, b, steps),
                1 => optim::Schedule::step(a, steps, b),
                2 => optim::Schedule::multi_step(a, &[steps, growth], b),
                3 => optim::Schedule::exponential(a, b),
                4 => optim::Schedule::cosine(a, steps, b),
                5 => optim::Schedule::cosine_with_restarts(a, steps, growth, b),
                6 => optim::Schedule::linear(a, b, c, steps),
                _ => optim::Schedule::polynomial(a, steps, b),
            };
            schedule = match (made, schedule.take()) {
                (Err(_), earlier) => earlier,
                (Ok(made), None) => Some(made),
                (Ok(made), Some(earlier)) if random.once_in(2) => Some(earlier.then(steps, made)),
                (Ok(made), Some(earlier)) => Some(earlier.times(made)),
            };
        }
        let Some(schedule) = schedule else { continue };
        for step in [0, 1, 7, 100, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let rate = schedule.rate(step);
            assert!(rate >= 0.0 || rate.is_nan(), "{schedule:?} at {step}: {rate}");
        }
    }
}
