//! Functions of one tensor and their gradients.

use crate::op::{Array, Reference};
use crate::ops::unary::{SELU_ALPHA, SELU_SCALE, Unary, UnaryGrad};
use std::f64::consts::{FRAC_2_SQRT_PI, PI, SQRT_2};

/// `f(x)` of every element.
impl Reference for Unary {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].map(|x| value(*self, x))]
    }
}

fn value(function: Unary, x: f64) -> f64 {
    match function {
        Unary::Relu => piece(x < 0.0, 0.0, x),
        Unary::LeakyRelu { slope } => piece(x > 0.0, x, f64::from(slope) * x),
        Unary::Elu { alpha } => piece(x > 0.0, x, f64::from(alpha) * x.exp_m1()),
        Unary::Selu => SELU_SCALE * piece(x > 0.0, x, SELU_ALPHA * x.exp_m1()),
        Unary::Gelu => x * normal(x),
        Unary::GeluTanh => x * sigmoid(2.0 * tanh_argument(x)),
        Unary::Silu => x * sigmoid(x),
        Unary::Mish => x * softplus(x).tanh(),
        Unary::Softplus { beta, threshold } => {
            let z = f64::from(beta) * x;
            piece(z > f64::from(threshold), x, softplus(z) / f64::from(beta))
        }
        Unary::Sigmoid => sigmoid(x),
        Unary::Tanh => x.tanh(),
        Unary::HardSigmoid => ((x + 3.0) / 6.0).clamp(0.0, 1.0),
        Unary::HardSwish => x * ((x + 3.0) / 6.0).clamp(0.0, 1.0),
        Unary::HardTanh { min, max } => clamp(x, Some(min), Some(max)),
        Unary::Erf => erf(x),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Abs => x.abs(),
        Unary::Sign => piece(x > 0.0, 1.0, piece(x < 0.0, -1.0, 0.0)),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round_ties_even(),
        Unary::IsNan => piece(x.is_nan(), 1.0, 0.0),
        Unary::IsInf => piece(x.is_infinite(), 1.0, 0.0),
        Unary::Power { exponent } | Unary::NormPower { exponent } => power(x, exponent.into()),
        Unary::Clamp { min, max } => clamp(x, min, max),
        Unary::Scale { factor } => f64::from(factor) * x,
        Unary::Shift { amount } => x + f64::from(amount),
    }
}

/// `dy` times the slope. `saved` is the output for ReLU, leaky ReLU and ELU with nothing negative, SELU, the sigmoid,
/// tanh, the hard sigmoid and tanh, exp and sqrt, else the input.
impl Reference for UnaryGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        // A slope outside of f32 becomes infinite, or zero, before it meets an infinite gradient.
        let of_f32 = |slope: f64| match slope as f32 {
            rounded if rounded == 0.0 || rounded.is_infinite() => f64::from(rounded),
            _ => slope,
        };
        vec![inputs[0].zip(inputs[1], |saved, dy| match self.function {
            _ if stops(self.function, saved) => 0.0,
            Unary::Log => dy / saved,
            _ => of_f32(slope(self.function, saved)) * dy,
        })]
    }
}

/// Whether a gradient stops here, even one that is not finite.
fn stops(function: Unary, v: f64) -> bool {
    match function {
        Unary::Relu => v <= 0.0,
        Unary::HardSigmoid => !(v > 0.0 && v < 1.0),
        Unary::HardSwish => v <= -3.0,
        Unary::HardTanh { min, max } => !(v > min.into() && v < max.into()),
        Unary::Power { exponent } => exponent == 0.0,
        Unary::Sign | Unary::Floor | Unary::Ceil | Unary::Round | Unary::IsNan | Unary::IsInf => true,
        Unary::Clamp { min, max } => {
            !(min.is_none_or(|min| v >= min.into()) && max.is_none_or(|max| v <= max.into()))
        }
        _ => false,
    }
}

fn slope(function: Unary, v: f64) -> f64 {
    match function {
        Unary::Relu => 1.0,
        Unary::LeakyRelu { slope } => piece(v > 0.0, 1.0, slope.into()),
        Unary::Elu { alpha } if alpha >= 0.0 => piece(v > 0.0, 1.0, v + f64::from(alpha)),
        Unary::Elu { alpha } => piece(v > 0.0, 1.0, f64::from(alpha) * v.exp()),
        Unary::Selu => piece(v > 0.0, SELU_SCALE, v + SELU_SCALE * SELU_ALPHA),
        // As the products with an infinity give.
        Unary::Gelu | Unary::GeluTanh | Unary::Silu | Unary::Mish if !v.is_finite() => f64::NAN,
        Unary::Gelu => normal(v) + weighted(v, (-v * v / 2.0).exp() / (2.0 * PI).sqrt()),
        Unary::GeluTanh => {
            let s = sigmoid(2.0 * tanh_argument(v));
            let inner = (2.0 / PI).sqrt() * (1.0 + 3.0 * 0.044715 * v * v);
            s + weighted(2.0 * v * inner, s * sigmoid(-2.0 * tanh_argument(v)))
        }
        Unary::Silu => sigmoid(v) + weighted(v, sigmoid(v) * sigmoid(-v)),
        Unary::Mish => {
            let t = softplus(v).tanh();
            t + weighted(v, sigmoid(v) * (1.0 - t) * (1.0 + t))
        }
        Unary::Softplus { beta, threshold } => {
            let z = f64::from(beta) * v;
            piece(z > f64::from(threshold), 1.0, sigmoid(z))
        }
        Unary::Sigmoid => v * (1.0 - v),
        Unary::Tanh => 1.0 - v * v,
        Unary::HardSigmoid => 1.0 / 6.0,
        Unary::HardSwish => piece(v >= 3.0, 1.0, v / 3.0 + 0.5),
        Unary::HardTanh { .. } | Unary::Clamp { .. } => 1.0,
        Unary::Erf => FRAC_2_SQRT_PI * (-v * v).exp(),
        Unary::Exp => v,
        Unary::Log => 1.0 / v,
        Unary::Sqrt => 0.5 / v,
        Unary::Abs => piece(v > 0.0, 1.0, piece(v < 0.0, -1.0, 0.0)),
        Unary::NormPower { .. } if v == 0.0 => 0.0,
        Unary::Power { exponent } | Unary::NormPower { exponent } => {
            f64::from(exponent) * power(v, f64::from(exponent) - 1.0)
        }
        Unary::Scale { factor } => factor.into(),
        Unary::Shift { .. } => 1.0,
        Unary::Sign | Unary::Floor | Unary::Ceil | Unary::Round | Unary::IsNan | Unary::IsInf => 0.0,
    }
}

fn piece(condition: bool, then: f64, otherwise: f64) -> f64 {
    if condition { then } else { otherwise }
}

/// If the bounds cross, the upper one counts. `f64::max` and `min` would return the bound for NaN.
fn clamp(x: f64, min: Option<f32>, max: Option<f32>) -> f64 {
    let raised = min.map_or(x, |min| piece(x < min.into(), min.into(), x));
    max.map_or(raised, |max| piece(raised > max.into(), max.into(), raised))
}

/// A root of minus infinity is NaN, as in PyTorch and unlike IEEE 754's powers.
fn power(x: f64, exponent: f64) -> f64 {
    if exponent == 0.5 {
        x.sqrt()
    } else if exponent == -0.5 {
        1.0 / x.sqrt()
    } else {
        x.powf(exponent)
    }
}

/// `a * b`, but zero if `b` vanishes, even for an infinite `a`.
fn weighted(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a * b }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `log(1 + exp(x))`
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn tanh_argument(x: f64) -> f64 {
    (2.0 / PI).sqrt() * (x + 0.044715 * x * x * x)
}

/// The standard normal distribution's integral up to `x`: half of erfc(-x / sqrt(2)).
fn normal(x: f64) -> f64 {
    let z = x.abs() / SQRT_2;
    // Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.6: a series of positive terms for
    // erf; 7.1.14: a continued fraction for erfc.
    let tail = if z < 2.0 {
        let (mut term, mut sum) = (z, z);
        for n in 1..60 {
            term *= 2.0 * z * z / f64::from(2 * n + 1);
            sum += term;
        }
        (1.0 - FRAC_2_SQRT_PI * (-z * z).exp() * sum) / 2.0
    } else {
        let fraction = (1..=120).rev().fold(0.0, |rest, k| f64::from(k) / 2.0 / (z + rest));
        (-z * z).exp() / (PI.sqrt() * (z + fraction)) / 2.0
    };
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// The error function: 7.1.6 near zero, where one minus twice the tail would lose digits.
fn erf(x: f64) -> f64 {
    if x.abs() >= 1.0 || x.is_nan() {
        return 2.0 * normal(x * SQRT_2) - 1.0;
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..40 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::{erf, normal};

    /// Abramowitz and Stegun, table 7.1.
    #[test]
    fn the_error_function_is_the_tabled_one() {
        for (x, expected) in [
            (0.0, 0.0),
            (1e-9, 1.128_379_167_1e-9),
            (0.5, 0.520_499_877_813),
            (1.0, 0.842_700_792_950),
            (-2.0, -0.995_322_265_019),
            (f64::INFINITY, 1.0),
        ] {
            let found = erf(x);
            assert!((found - expected).abs() <= 1e-10 * expected.abs(), "{x}: {found}, {expected}");
        }
        assert!(erf(f64::NAN).is_nan());
    }

    /// Abramowitz and Stegun, tables 26.1 and 26.2.
    #[test]
    fn the_normal_integral_is_the_tabled_one() {
        for (x, expected) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_543),
            (2.0, 0.977_249_868_051_821),
            (-3.0, 0.001_349_898_031_630),
            (-5.0, 2.866_515_718_79e-7),
            (-10.0, 7.619_853_024e-24),
        ] {
            let found = normal(x);
            assert!((found / expected - 1.0).abs() < 1e-9, "{x}: {found}, {expected}");
        }
    }
}
