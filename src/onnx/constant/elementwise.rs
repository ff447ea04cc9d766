//! Arithmetic and comparisons of known tensors.

use super::converting::{cast, choose};
use super::{Call, broadcast, broadcast_places, floats, listed, taken};
use crate::onnx::ElementType;
use crate::onnx::tensor::{Data, Tensor};
use crate::tensor::Shape;

pub(super) const KNOWN: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "BitwiseAnd",
    "BitwiseNot",
    "BitwiseOr",
    "BitwiseXor",
    "Cast",
    "CastLike",
    "Ceil",
    "Clip",
    "Cos",
    "Div",
    "Equal",
    "Exp",
    "Floor",
    "Greater",
    "GreaterOrEqual",
    "Identity",
    "IsInf",
    "IsNaN",
    "Less",
    "LessOrEqual",
    "Log",
    "Max",
    "Mean",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "Pow",
    "Reciprocal",
    "Round",
    "Sign",
    "Sin",
    "Sqrt",
    "Sub",
    "Sum",
    "Tan",
    "Where",
    "Xor",
];

/// A function of two numbers, for floats and for integers. A sum, product, quotient or root of f32 that is computed in f64
/// and then rounded is the one that f32 arithmetic gives, so that one function serves both.
type Binary = (fn(f64, f64) -> f64, fn(i64, i64) -> i64);
/// A comparison, for floats and for integers.
type Comparison = (fn(&f64, &f64) -> bool, fn(&i64, &i64) -> bool);

impl Call<'_, '_> {
    pub(super) fn elementwise(&self) -> Result<Tensor, String> {
        let operator = self.operator;
        if let Some(function) = binary(operator) {
            return self.folded(function);
        }
        if let Some(comparison) = comparison(operator) {
            return self.compared(comparison);
        }
        match operator {
            "Identity" => Ok(self.input(0)?.clone()),
            "Cast" => {
                self.attributes.ignore(&["saturate", "round_mode"]);
                cast(self.input(0)?, ElementType::of(self.attributes.int("to", 0)?)?)
            }
            "CastLike" => {
                self.attributes.ignore(&["saturate", "round_mode"]);
                cast(self.input(0)?, self.input(1)?.element)
            }
            "Mean" => {
                let sum = self.folded((|a, b| a + b, i64::wrapping_add))?;
                let count = self.inputs.len() as f64;
                mapped(&sum, |x| x / count, |x| x)
            }
            "Mod" => self.modulo(),
            "Pow" => self.power(),
            "Where" => self.chosen(),
            "Clip" => self.clipped(),
            "And" | "Or" | "Xor" => self.logic(),
            "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" => self.folded(match operator {
                "BitwiseAnd" => (|a, _| a, |a, b| a & b),
                "BitwiseOr" => (|a, _| a, |a, b| a | b),
                _ => (|a, _| a, |a, b| a ^ b),
            }),
            "Not" => {
                let x = self.input(0)?;
                let data =
                    x.as_bools().ok_or_else(|| format!("expects truth values, found {}", x.element))?;
                Ok(Tensor::bools(x.shape.clone(), data.iter().map(|x| !x).collect()))
            }
            "IsNaN" | "IsInf" => self.classified(),
            _ => self.unary(),
        }
    }

    /// A function folded over all inputs.
    fn folded(&self, function: Binary) -> Result<Tensor, String> {
        let mut all = self.input(0)?.clone();
        for i in 1..self.inputs.len() {
            all = combined(&all, self.input(i)?, function)?;
        }
        Ok(all)
    }

    fn unary(&self) -> Result<Tensor, String> {
        let x = self.input(0)?;
        let floats = |function: fn(f64) -> f64| match x.any_floats() {
            Some(_) => mapped(x, function, |x| x),
            None => Err(format!("expects floats, found {}", x.element)),
        };
        match self.operator {
            "Neg" => mapped(x, |x| -x, i64::wrapping_neg),
            "Abs" => mapped(x, f64::abs, i64::wrapping_abs),
            "Sign" => mapped(x, |x| if x == 0.0 || x.is_nan() { x } else { x.signum() }, i64::signum),
            "Ceil" => floats(f64::ceil),
            "Floor" => floats(f64::floor),
            "Round" => floats(f64::round_ties_even),
            "Sqrt" => floats(f64::sqrt),
            "Reciprocal" => floats(f64::recip),
            "Exp" => floats(f64::exp),
            "Log" => floats(f64::ln),
            "Sin" => floats(f64::sin),
            "Cos" => floats(f64::cos),
            "Tan" => floats(f64::tan),
            "BitwiseNot" => match x.as_ints() {
                Some(_) => mapped(x, |x| x, |x| !x),
                None => Err(format!("expects integers, found {}", x.element)),
            },
            other => unreachable!("{other} is none of the operators that are folded"),
        }
    }

    fn compared(&self, (floats, ints): Comparison) -> Result<Tensor, String> {
        let (a, b, shape) = self.pair()?;
        if let (Some(x), Some(y)) = (a.any_floats(), b.any_floats()) {
            return Ok(Tensor::bools(shape, listed(a.elements(), |i| floats(&x.at(i), &y.at(i)))?));
        }
        let data = match (&a.data, &b.data) {
            (Data::Int(a), Data::Int(b)) => a.iter().zip(b).map(|(a, b)| ints(a, b)).collect(),
            (Data::Bool(a), Data::Bool(b)) if self.operator == "Equal" => {
                a.iter().zip(b).map(|(a, b)| a == b).collect()
            }
            _ => return Err(format!("can't compare {} with {}", a.element, b.element)),
        };
        Ok(Tensor::bools(shape, data))
    }

    /// The first two inputs, broadcast.
    fn pair(&self) -> Result<(Tensor, Tensor, Shape), String> {
        let (a, b) = (self.input(0)?, self.input(1)?);
        let shape = broadcast(&a.shape, &b.shape)?;
        Ok((stretched(a, &shape)?, stretched(b, &shape)?, shape))
    }

    fn logic(&self) -> Result<Tensor, String> {
        let (a, b, shape) = self.pair()?;
        let (Some(a), Some(b)) = (a.as_bools(), b.as_bools()) else {
            return Err(format!("expects truth values, found {} and {}", a.element, b.element));
        };
        let function: fn(bool, bool) -> bool = match self.operator {
            "And" => |a, b| a && b,
            "Or" => |a, b| a || b,
            _ => |a, b| a != b,
        };
        Ok(Tensor::bools(shape, a.iter().zip(b).map(|(&a, &b)| function(a, b)).collect()))
    }

    fn modulo(&self) -> Result<Tensor, String> {
        if self.attributes.flag("fmod", false)? {
            return self.folded((|a, b| a % b, |a, b| a.checked_rem(b).unwrap_or(0)));
        }
        // The sign is the divisor's, as Python's.
        let function: Binary = (
            |a, b| {
                let rest = a % b;
                if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
            },
            |a, b| match a.checked_rem(b) {
                Some(rest) if rest != 0 && (rest < 0) != (b < 0) => rest + b,
                rest => rest.unwrap_or(0),
            },
        );
        self.folded(function)
    }

    fn power(&self) -> Result<Tensor, String> {
        let (a, b, shape) = self.pair()?;
        let exponents = b.to_f64();
        let (element, data) = (a.element, a.to_f64());
        let powers = |i: usize| data[i].powf(exponents[i]);
        let data = if element.is_float() {
            floats(element, data.len(), powers)?
        } else {
            Data::Int(listed(data.len(), |i| element.wrap(powers(i) as i64))?)
        };
        Ok(Tensor { element, shape, data })
    }

    fn chosen(&self) -> Result<Tensor, String> {
        choose([self.input(0)?, self.input(1)?, self.input(2)?])
    }

    fn clipped(&self) -> Result<Tensor, String> {
        let mut x = self.input(0)?.clone();
        for (i, name) in [(1, "min"), (2, "max")] {
            let attribute = self.attributes.maybe_float(name)?;
            let bound = match (attribute, self.maybe(i)) {
                (Some(bound), _) => Tensor::floats(ElementType::F32, [], vec![bound]),
                (None, Some(bound)) => bound.clone(),
                (None, None) => continue,
            };
            x = combined(&x, &bound, if i == 1 { (f64::max, i64::max) } else { (f64::min, i64::min) })?;
        }
        Ok(x)
    }

    fn classified(&self) -> Result<Tensor, String> {
        let x = self.input(0)?;
        let data = x.any_floats().ok_or_else(|| format!("expects floats, found {}", x.element))?;
        let (above, below) =
            (self.attributes.flag("detect_positive", true)?, self.attributes.flag("detect_negative", true)?);
        let is = |x: f64| match self.operator {
            "IsNaN" => x.is_nan(),
            _ => x.is_infinite() && if x > 0.0 { above } else { below },
        };
        Ok(Tensor::bools(x.shape.clone(), listed(x.elements(), |i| is(data.at(i)))?))
    }
}

fn binary(operator: &str) -> Option<Binary> {
    Some(match operator {
        "Add" | "Sum" => (|a, b| a + b, i64::wrapping_add),
        "Sub" => (|a, b| a - b, i64::wrapping_sub),
        "Mul" => (|a, b| a * b, i64::wrapping_mul),
        "Div" => (|a, b| a / b, |a, b| a.checked_div(b).unwrap_or(0)),
        // NaN stays.
        "Max" => (|a, b| if a > b || a.is_nan() { a } else { b }, i64::max),
        "Min" => (|a, b| if a < b || a.is_nan() { a } else { b }, i64::min),
        _ => return None,
    })
}

fn comparison(operator: &str) -> Option<Comparison> {
    Some(match operator {
        "Equal" => (|a, b| a == b, |a, b| a == b),
        "Less" => (|a, b| a < b, |a, b| a < b),
        "LessOrEqual" => (|a, b| a <= b, |a, b| a <= b),
        "Greater" => (|a, b| a > b, |a, b| a > b),
        "GreaterOrEqual" => (|a, b| a >= b, |a, b| a >= b),
        _ => return None,
    })
}

/// A tensor, broadcast to a shape.
pub(super) fn stretched(tensor: &Tensor, shape: &Shape) -> Result<Tensor, String> {
    if tensor.shape == *shape {
        return Ok(tensor.clone());
    }
    taken(tensor, shape.clone(), &broadcast_places(&tensor.shape, shape)?)
}

fn combined(a: &Tensor, b: &Tensor, (of_floats, ints): Binary) -> Result<Tensor, String> {
    let shape = broadcast(&a.shape, &b.shape)?;
    let (x, y, element) = (stretched(a, &shape)?, stretched(b, &shape)?, a.element);
    if let (Some(p), Some(q)) = (x.any_floats(), y.any_floats()) {
        let data = floats(element, x.elements(), |i| of_floats(p.at(i), q.at(i)))?;
        return Ok(Tensor { element, shape, data });
    }
    let data = match (&x.data, &y.data) {
        (Data::Int(x), Data::Int(y)) => Data::Int(listed(x.len(), |i| element.wrap(ints(x[i], y[i])))?),
        _ => return Err(format!("expects numbers of one type, found {} and {}", a.element, b.element)),
    };
    Ok(Tensor { element, shape, data })
}

fn mapped(x: &Tensor, of_floats: impl Fn(f64) -> f64, ints: impl Fn(i64) -> i64) -> Result<Tensor, String> {
    let element = x.element;
    let data = match &x.data {
        Data::Float(data) => floats(element, data.len(), |i| of_floats(data[i].into()))?,
        Data::Double(data) => floats(element, data.len(), |i| of_floats(data[i]))?,
        Data::Int(data) => Data::Int(listed(data.len(), |i| element.wrap(ints(data[i])))?),
        Data::Bool(_) => return Err("expects numbers, found truth values".into()),
    };
    Ok(Tensor { element, shape: x.shape.clone(), data })
}
