//! Functions of one tensor, and their gradients.

use crate::harness::{Case, array, floats, numbers, scaled};
use wgrad::HostTensor;
use wgrad::op::{Operator, Reference};
use wgrad::ops::unary::{Unary, UnaryGrad};

/// Every function, and every way in which attributes lead to other formulas.
pub const ALL: [Unary; 44] = [
    Unary::Relu,
    Unary::LeakyRelu { slope: 0.1 },
    Unary::LeakyRelu { slope: 0.0 },
    Unary::LeakyRelu { slope: -0.5 },
    Unary::Elu { alpha: 1.25 },
    Unary::Elu { alpha: -0.75 },
    Unary::Selu,
    Unary::Gelu,
    Unary::GeluTanh,
    Unary::Silu,
    Unary::Mish,
    Unary::Softplus { beta: 1.0, threshold: 20.0 },
    Unary::Softplus { beta: -2.5, threshold: 1.5 },
    Unary::Sigmoid,
    Unary::Tanh,
    Unary::HardSigmoid,
    Unary::HardSwish,
    Unary::HardTanh { min: -0.5, max: 2.0 },
    Unary::Erf,
    Unary::Exp,
    Unary::Log,
    Unary::Sqrt,
    Unary::Abs,
    Unary::Sign,
    Unary::Floor,
    Unary::Ceil,
    Unary::Round,
    Unary::IsNan,
    Unary::IsInf,
    Unary::Power { exponent: 3.0 },
    Unary::Power { exponent: -2.0 },
    Unary::Power { exponent: 0.0 },
    Unary::Power { exponent: 1.0 },
    Unary::Power { exponent: 2.5 },
    Unary::Power { exponent: -0.3 },
    Unary::Power { exponent: -0.5 },
    Unary::NormPower { exponent: 3.0 },
    Unary::NormPower { exponent: 0.4 },
    Unary::Clamp { min: Some(-0.5), max: None },
    Unary::Clamp { min: None, max: Some(0.75) },
    Unary::Clamp { min: Some(-1.5), max: Some(0.25) },
    Unary::Clamp { min: Some(-0.5), max: Some(f32::MAX) },
    Unary::Scale { factor: -2.5 },
    Unary::Shift { amount: 0.375 },
];

/// Numbers for which the function is defined and not too steep.
pub fn domain(function: Unary, x: HostTensor) -> HostTensor {
    let into = |x: f32| match function {
        Unary::Log | Unary::Sqrt => x.abs() + 0.05,
        Unary::Power { exponent } | Unary::NormPower { exponent } if exponent.fract() != 0.0 => {
            x.abs() + 0.05
        }
        Unary::Power { exponent } if exponent < 0.0 => x + 0.05f32.copysign(x),
        // Away from the steps.
        Unary::Sign => x + 0.05f32.copysign(x),
        Unary::Floor | Unary::Ceil => x.floor() + 0.05 + 0.9 * (x - x.floor()),
        Unary::Round => (x - 0.5).floor() + 0.55 + 0.9 * (x - 0.5 - (x - 0.5).floor()),
        _ => x,
    };
    floats(x.shape.clone(), x.to_f64().iter().map(|&x| into(x as f32)).collect())
}

/// A function, and its gradient if it has one of its own, for numbers `x`.
pub fn pair(name: &str, function: Unary, x: HostTensor) -> Vec<Case> {
    let x = domain(function, x);
    let mut saved = x.clone();
    if function.saves_output() {
        let y = function.reference(&[&array(&x)]).swap_remove(0);
        saved = floats(y.shape.clone(), y.data.iter().map(|&y| y as f32).collect());
    }
    let dy = numbers(x.shape.clone(), 3);
    let mut cases = vec![Case::new(name, function, vec![x])];
    let gradient = UnaryGrad { function };
    if gradient.infer(&[&saved.ty(), &dy.ty()]).is_ok() {
        cases.push(Case::new(name, gradient, vec![saved, dy]));
    }
    cases
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for function in ALL {
        cases.extend(pair("a prime", function, scaled([3, 37], 1, 6.0)));
        cases.extend(pair("around zero, four at a time", function, scaled([4, 33], 4, 0.4)));
    }
    // What the one kernel does with shapes.
    for (name, shape) in [
        ("one element", &[1][..]),
        ("four by four past a workgroup", &[4, 3, 5, 20]),
        ("several workgroups, the last one part full", &[2, 6, 11, 32]),
        ("several workgroups of single elements", &[7, 11, 13]),
    ] {
        cases.extend(pair(name, Unary::Sigmoid, scaled(shape, 1, 6.0)));
    }
    // What is bounded shows errors anywhere; `tests/elementwise.rs` looks at each element of the others.
    let extremes = [-1e30, -1e4, -100.0, -30.0, -1e-6, 0.0, 1e-6, 30.0, 100.0, 1e4, 1e30];
    for function in [Unary::Sigmoid, Unary::Tanh, Unary::HardSigmoid] {
        cases.extend(pair("extremes", function, floats([11], extremes.to_vec())));
    }
    cases
}

const INFINITY: f64 = f64::INFINITY;
/// A slope that PyTorch has none for.
const ANY: f64 = f64::NAN;

/// x, f(x) and the slope that PyTorch gives.
pub type Row = (f64, f64, f64);

/// Functions at kinks and at both ends.
pub const KNOWN: &[(Unary, &[Row])] = &[
    (Unary::Relu, &[(-INFINITY, 0.0, 0.0), (-0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (INFINITY, INFINITY, 1.0)]),
    (
        Unary::LeakyRelu { slope: 0.125 },
        &[(-INFINITY, -INFINITY, 0.125), (-0.0, 0.0, 0.125), (0.0, 0.0, 0.125), (1e30, 1e30, 1.0)],
    ),
    (Unary::LeakyRelu { slope: -0.5 }, &[(-1e30, 5e29, -0.5), (0.0, 0.0, -0.5), (3.0, 3.0, 1.0)]),
    (
        Unary::Elu { alpha: 1.25 },
        &[(-INFINITY, -1.25, 0.0), (-1e30, -1.25, 0.0), (0.0, 0.0, 1.25), (INFINITY, INFINITY, 1.0)],
    ),
    (Unary::Elu { alpha: -2.0 }, &[(-1e30, 2.0, 0.0), (0.0, 0.0, -2.0), (1e30, 1e30, 1.0)]),
    (
        Unary::Selu,
        &[
            (-INFINITY, -1.758_099_340_847_376_6, 0.0),
            (0.0, 0.0, 1.758_099_340_847_376_6),
            (1e30, 1.050_700_987_355_480_5e30, 1.050_700_987_355_480_5),
        ],
    ),
    (Unary::Gelu, &[(-1e30, 0.0, 0.0), (0.0, 0.0, 0.5), (1e30, 1e30, 1.0), (INFINITY, INFINITY, ANY)]),
    (Unary::GeluTanh, &[(-1e30, 0.0, 0.0), (0.0, 0.0, 0.5), (1e30, 1e30, 1.0), (INFINITY, INFINITY, ANY)]),
    (Unary::Silu, &[(-1e30, 0.0, 0.0), (0.0, 0.0, 0.5), (1e30, 1e30, 1.0), (INFINITY, INFINITY, ANY)]),
    (
        Unary::Erf,
        &[
            (-INFINITY, -1.0, 0.0),
            (-1e30, -1.0, 0.0),
            (0.0, 0.0, std::f64::consts::FRAC_2_SQRT_PI),
            (0.5, 0.520_499_877_813, 0.878_782_578_936),
            (1e30, 1.0, 0.0),
            (INFINITY, 1.0, 0.0),
        ],
    ),
    // tanh(log 2) = (4 - 1) / (4 + 1)
    (Unary::Mish, &[(-1e30, 0.0, 0.0), (0.0, 0.0, 0.6), (1e30, 1e30, 1.0), (INFINITY, INFINITY, ANY)]),
    (
        Unary::Softplus { beta: 1.0, threshold: 20.0 },
        &[
            (-INFINITY, 0.0, 0.0),
            (-1e30, 0.0, 0.0),
            (0.0, std::f64::consts::LN_2, 0.5),
            (20.0, 20.000_000_002, 0.999_999_998),
            (1e30, 1e30, 1.0),
            (INFINITY, INFINITY, 1.0),
        ],
    ),
    // log(1 + exp(200)) / 2, which a threshold of its own does not cut: no overflow.
    (Unary::Softplus { beta: 2.0, threshold: 1e4 }, &[(100.0, 100.0, 1.0), (-100.0, 0.0, 0.0)]),
    (
        Unary::Sigmoid,
        &[
            (-INFINITY, 0.0, 0.0),
            (-1e30, 0.0, 0.0),
            (-0.0, 0.5, 0.25),
            (1e30, 1.0, 0.0),
            (INFINITY, 1.0, 0.0),
        ],
    ),
    (
        Unary::Tanh,
        &[
            (-INFINITY, -1.0, 0.0),
            (-1e30, -1.0, 0.0),
            (0.0, 0.0, 1.0),
            (1e30, 1.0, 0.0),
            (INFINITY, 1.0, 0.0),
        ],
    ),
    (
        Unary::HardSigmoid,
        &[
            (-INFINITY, 0.0, 0.0),
            (-3.0, 0.0, 0.0),
            (-2.999_999_8, 3.973_643e-8, 1.0 / 6.0),
            (0.0, 0.5, 1.0 / 6.0),
            (2.999_999_8, 0.999_999_96, 1.0 / 6.0),
            (3.0, 1.0, 0.0),
            (INFINITY, 1.0, 0.0),
        ],
    ),
    (
        Unary::HardSwish,
        &[(-1e30, 0.0, 0.0), (-3.0, 0.0, 0.0), (0.0, 0.0, 0.5), (3.0, 3.0, 1.0), (1e38, 1e38, 1.0)],
    ),
    (
        Unary::HardTanh { min: -0.5, max: 2.0 },
        &[(-INFINITY, -0.5, 0.0), (-0.5, -0.5, 0.0), (0.0, 0.0, 1.0), (2.0, 2.0, 0.0), (INFINITY, 2.0, 0.0)],
    ),
    (Unary::Exp, &[(-INFINITY, 0.0, 0.0), (-1e30, 0.0, 0.0), (0.0, 1.0, 1.0), (1e30, INFINITY, INFINITY)]),
    (Unary::Log, &[(0.0, -INFINITY, INFINITY), (1.0, 0.0, 1.0), (INFINITY, INFINITY, 0.0)]),
    (Unary::Sqrt, &[(0.0, 0.0, INFINITY), (4.0, 2.0, 0.25), (INFINITY, INFINITY, 0.0)]),
    (Unary::Abs, &[(-INFINITY, INFINITY, -1.0), (-0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (1e30, 1e30, 1.0)]),
    (
        Unary::Sign,
        &[(-INFINITY, -1.0, 0.0), (-1e-40, -1.0, 0.0), (-0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (1e-40, 1.0, 0.0)],
    ),
    (
        Unary::Floor,
        &[
            (-INFINITY, -INFINITY, 0.0),
            (-1.5, -2.0, 0.0),
            (-1e-40, -1.0, 0.0),
            (-0.0, 0.0, 0.0),
            (1.0, 1.0, 0.0),
        ],
    ),
    (
        Unary::Floor,
        &[
            (0.999_999_94, 0.0, 0.0),
            (8_388_607.5, 8_388_607.0, 0.0),
            (1e30, 1e30, 0.0),
            (INFINITY, INFINITY, 0.0),
        ],
    ),
    (
        Unary::Ceil,
        &[
            (-INFINITY, -INFINITY, 0.0),
            (-1.5, -1.0, 0.0),
            (0.0, 0.0, 0.0),
            (1e-40, 1.0, 0.0),
            (1.0, 1.0, 0.0),
        ],
    ),
    (
        Unary::Ceil,
        &[
            (1.000_000_1, 2.0, 0.0),
            (8_388_607.5, 8_388_608.0, 0.0),
            (-1e30, -1e30, 0.0),
            (INFINITY, INFINITY, 0.0),
        ],
    ),
    (
        Unary::Round,
        &[
            (-2.5, -2.0, 0.0),
            (-1.5, -2.0, 0.0),
            (-0.5, 0.0, 0.0),
            (0.5, 0.0, 0.0),
            (1.5, 2.0, 0.0),
            (2.5, 2.0, 0.0),
        ],
    ),
    (
        Unary::Round,
        &[
            (0.499_999_97, 0.0, 0.0),
            (0.500_000_06, 1.0, 0.0),
            (4_194_304.5, 4_194_304.0, 0.0),
            (INFINITY, INFINITY, 0.0),
        ],
    ),
    (
        Unary::IsNan,
        &[(ANY, 1.0, 0.0), (-ANY, 1.0, 0.0), (INFINITY, 0.0, 0.0), (0.0, 0.0, 0.0), (1e30, 0.0, 0.0)],
    ),
    (
        Unary::IsInf,
        &[(-INFINITY, 1.0, 0.0), (INFINITY, 1.0, 0.0), (ANY, 0.0, 0.0), (1e30, 0.0, 0.0), (0.0, 0.0, 0.0)],
    ),
    (Unary::Power { exponent: 2.0 }, &[(-3.0, 9.0, -6.0), (0.0, 0.0, 0.0), (-1e30, INFINITY, -2e30)]),
    (Unary::Power { exponent: 3.0 }, &[(-2.0, -8.0, 12.0), (-INFINITY, -INFINITY, INFINITY)]),
    (
        Unary::Power { exponent: -1.0 },
        &[
            (-2.0, -0.5, -0.25),
            (0.0, INFINITY, -INFINITY),
            (-0.0, -INFINITY, -INFINITY),
            (INFINITY, 0.0, 0.0),
        ],
    ),
    (Unary::Power { exponent: 0.0 }, &[(0.0, 1.0, 0.0), (-INFINITY, 1.0, 0.0)]),
    (Unary::Power { exponent: 1.0 }, &[(0.0, 0.0, 1.0), (-1e30, -1e30, 1.0)]),
    (Unary::Power { exponent: 1e30 }, &[(1.0, 1.0, 1e30), (-1.5, INFINITY, -INFINITY), (0.5, 0.0, 0.0)]),
    (Unary::Power { exponent: 0.5 }, &[(0.0, 0.0, INFINITY), (4.0, 2.0, 0.25), (INFINITY, INFINITY, 0.0)]),
    (Unary::NormPower { exponent: 0.5 }, &[(0.0, 0.0, 0.0), (-0.0, 0.0, 0.0), (4.0, 2.0, 0.25)]),
    (Unary::NormPower { exponent: 0.25 }, &[(0.0, 0.0, 0.0), (16.0, 2.0, 0.031_25)]),
    (Unary::NormPower { exponent: 1.0 }, &[(0.0, 0.0, 0.0), (-4.0, -4.0, 1.0)]),
    (Unary::Power { exponent: -1.5 }, &[(0.0, INFINITY, -INFINITY), (4.0, 0.125, -0.046_875)]),
    (
        Unary::Clamp { min: Some(-0.5), max: None },
        &[(-1e30, -0.5, 0.0), (-0.5, -0.5, 1.0), (INFINITY, INFINITY, 1.0)],
    ),
    (
        Unary::Clamp { min: None, max: Some(0.75) },
        &[(-INFINITY, -INFINITY, 1.0), (0.75, 0.75, 1.0), (0.875, 0.75, 0.0)],
    ),
    (
        Unary::Clamp { min: Some(-0.5), max: Some(0.75) },
        &[(-1.0, -0.5, 0.0), (-0.5, -0.5, 1.0), (0.75, 0.75, 1.0), (1.0, 0.75, 0.0)],
    ),
    (
        Unary::Clamp { min: Some(1.0), max: Some(-1.0) },
        &[(-2.0, -1.0, 0.0), (0.0, -1.0, 0.0), (2.0, -1.0, 0.0)],
    ),
    (Unary::Scale { factor: -2.5 }, &[(1e30, -2.5e30, -2.5), (-INFINITY, INFINITY, -2.5)]),
    (Unary::Shift { amount: 0.5 }, &[(-0.5, 0.0, 1.0), (INFINITY, INFINITY, 1.0)]),
];

/// The seed network's activations, forward and backward: one of comparisons, one of the output, one of much
/// arithmetic.
pub fn large() -> Vec<Case> {
    [Unary::Relu, Unary::Sigmoid, Unary::Tanh, Unary::Gelu]
        .into_iter()
        .flat_map(|function| pair("64x32x14x14", function, numbers([64, 32, 14, 14], 1)))
        .collect()
}
