//! Initial values of parameters and state, in PyTorch's terms.

mod random;

use crate::tensor::Shape;

/// The initial value of a parameter or a state tensor. Random numbers depend on the seed and the tensor's name alone.
///
/// ```
/// use wgrad::graph::{Fan, Init, Nonlinearity};
/// use wgrad::nn;
///
/// let init = Init::kaiming_normal(Fan::Out, Nonlinearity::Relu);
/// let conv = nn::Conv2d::new(3, 16, [3, 3]).init(init).bias_init(Init::Constant(0.0));
/// ```
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Init {
    /// All elements equal.
    Constant(f32),
    /// Uniform in (-bound, bound).
    Uniform(f32),
    /// Normally distributed.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation, at least 0.
        std: f64,
    },
    /// Normally distributed with mean 0 and standard deviation 1, except one row of zeros: an embedding with a
    /// padding row.
    NormalWithZeroRow {
        /// The row: an index of the first dimension.
        row: usize,
    },
    /// Normally distributed under the condition that `low <= x <= high`: PyTorch's `trunc_normal_`.
    TruncatedNormal {
        /// The mean of the whole distribution.
        mean: f64,
        /// The standard deviation of the whole distribution, at least 0.
        std: f64,
        /// The least value.
        low: f64,
        /// The largest value.
        high: f64,
    },
    /// Random with the mean 0 and the standard deviation `gain / sqrt(fan)`: PyTorch's `kaiming_` and
    /// `xavier_` initialisers. See [`Init::kaiming_normal`] and its siblings.
    Scaled {
        /// The fan that scales the deviation.
        fan: Fan,
        /// Factor of the deviation, at least 0.
        gain: f64,
        /// The distribution.
        distribution: Distribution,
    },
    /// PyTorch's `orthogonal_`. The tensor is a matrix of the first size by the product of all others. Its rows, or
    /// its columns if there are fewer, are orthogonal and of length `gain`; all directions are equally likely. Takes
    /// rows^2 * columns operations on the host, or columns^2 * rows.
    Orthogonal {
        /// Length of the rows or columns.
        gain: f64,
    },
    /// A convolution that hands on its input channels, as far as it has outputs for them: PyTorch's `dirac_`. The
    /// weight is \[outputs, inputs, ...]. Output d takes input d, at the tap `size / 2` of each dimension.
    Dirac {
        /// The initial value of the outputs past the last input, drawn for the whole shape. PyTorch's `dirac_` has zeros.
        rest: Box<Init>,
    },
    /// The initial value of the parameter of this name, which must have the same shape.
    Copy(String),
}

/// The number of terms of one sum. For a weight \[outputs, inputs, ...]:
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fan {
    /// inputs times all further sizes: keeps the variance in the forward pass.
    In,
    /// outputs times all further sizes: keeps the variance in the backward pass.
    Out,
    /// The mean of both.
    Mean,
}

/// The distribution of random numbers with a given standard deviation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Distribution {
    /// Uniform between plus and minus sqrt(3) standard deviations.
    Uniform,
    /// Normally.
    Normal,
}

/// The nonlinearity behind a weight, as PyTorch's `calculate_gain` names it.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Nonlinearity {
    /// None. Sigmoid counts as this too.
    Linear,
    /// tanh
    Tanh,
    /// ReLU
    Relu,
    /// Leaky ReLU with this slope below zero.
    LeakyRelu(f64),
    /// SELU
    Selu,
}

impl Nonlinearity {
    /// The factor for weights in front of this nonlinearity: PyTorch's `calculate_gain`.
    pub fn gain(self) -> f64 {
        match self {
            Nonlinearity::Linear => 1.0,
            Nonlinearity::Tanh => 5.0 / 3.0,
            Nonlinearity::Relu => f64::sqrt(2.0),
            Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
            Nonlinearity::Selu => 0.75,
        }
    }
}

impl Init {
    /// PyTorch's `kaiming_uniform_`: uniform within `gain sqrt(3 / fan)` (He et al., 2015, "Delving Deep into
    /// Rectifiers").
    pub fn kaiming_uniform(fan: Fan, nonlinearity: Nonlinearity) -> Self {
        Init::Scaled { fan, gain: nonlinearity.gain(), distribution: Distribution::Uniform }
    }

    /// PyTorch's `kaiming_normal_`: normal with the standard deviation `gain / sqrt(fan)`.
    pub fn kaiming_normal(fan: Fan, nonlinearity: Nonlinearity) -> Self {
        Init::Scaled { fan, gain: nonlinearity.gain(), distribution: Distribution::Normal }
    }

    /// PyTorch's `xavier_uniform_`: uniform within `gain sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio,
    /// 2010, "Understanding the difficulty of training deep feedforward neural networks").
    pub fn xavier_uniform(gain: f64) -> Self {
        Init::Scaled { fan: Fan::Mean, gain, distribution: Distribution::Uniform }
    }

    /// PyTorch's `xavier_normal_`: normal with the standard deviation `gain sqrt(2 / (fan_in + fan_out))`.
    pub fn xavier_normal(gain: f64) -> Self {
        Init::Scaled { fan: Fan::Mean, gain, distribution: Distribution::Normal }
    }

    /// PyTorch's `dirac_`: output d of a convolution is its input d, and outputs past the last input are 0.
    ///
    /// ```
    /// use wgrad::graph::{Fan, Init, Nonlinearity};
    /// use wgrad::nn;
    ///
    /// let same = nn::Conv2d::new(16, 16, [3, 3]).padding([1, 1]).bias(false).init(Init::dirac());
    /// // 16 outputs are the inputs, and 48 start as usual.
    /// let rest = Box::new(Init::kaiming_uniform(Fan::In, Nonlinearity::Relu));
    /// let wider = nn::Conv2d::new(16, 64, [3, 3]).init(Init::Dirac { rest });
    /// ```
    pub fn dirac() -> Self {
        Init::Dirac { rest: Box::new(Init::Constant(0.0)) }
    }

    /// Fails if a tensor of this shape can't start so; the message says why.
    pub(super) fn check(&self, shape: &Shape) -> Result<(), String> {
        let require = |name: &str, value: f64, passes: bool, expected: &str| {
            if passes && value.is_finite() {
                return Ok(());
            }
            Err(format!("{name} must be {expected} and finite, found {value}"))
        };
        match *self {
            Init::Constant(_) | Init::Copy(_) => Ok(()),
            Init::Uniform(bound) => require("bound", bound.into(), true, "a number"),
            Init::Normal { mean, std } => {
                require("mean", mean, true, "a number")?;
                require("std", std, std >= 0.0, "at least 0")
            }
            Init::NormalWithZeroRow { row } => {
                if shape.first().is_some_and(|&rows| row < rows) {
                    return Ok(());
                }
                Err(format!("padding_idx must be within num_embeddings: row {row} of {shape}"))
            }
            Init::TruncatedNormal { mean, std, low, high } => {
                require("mean", mean, true, "a number")?;
                require("std", std, std >= 0.0, "at least 0")?;
                require("low", low, true, "a number")?;
                require("high", high, high > low, &format!("above low, which is {low},"))
            }
            Init::Scaled { gain, .. } => {
                require("gain", gain, gain >= 0.0, "at least 0")?;
                if shape.len() >= 2 {
                    return Ok(());
                }
                Err(format!(
                    "fan in and fan out can not be computed for a tensor with fewer than 2 dimensions, found {shape}"
                ))
            }
            Init::Orthogonal { gain } => {
                require("gain", gain, true, "a number")?;
                if shape.len() >= 2 {
                    return Ok(());
                }
                Err(format!("only tensors with 2 or more dimensions can be orthogonal, found {shape}"))
            }
            Init::Dirac { ref rest } => {
                if shape.len() < 3 {
                    return Err(format!("dirac is for weights [outputs, inputs, taps ...], found {shape}"));
                }
                match **rest {
                    Init::Copy(_) | Init::Dirac { .. } => {
                        Err(format!("the rest of dirac must have values of its own, found {rest:?}"))
                    }
                    _ => rest.check(shape),
                }
            }
        }
    }
}

impl Fan {
    /// The fan of a shape with at least two dimensions.
    fn of(self, shape: &Shape) -> f64 {
        let receptive_field: f64 = shape[2..].iter().map(|&size| size as f64).product();
        let (fan_in, fan_out) = (shape[1] as f64 * receptive_field, shape[0] as f64 * receptive_field);
        match self {
            Fan::In => fan_in,
            Fan::Out => fan_out,
            Fan::Mean => (fan_in + fan_out) / 2.0,
        }
    }
}
