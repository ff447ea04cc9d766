//! Comparisons of two tensors, and choices between two by a third, with broadcasting.
//!
//! A truth value is the f32 number 1 or 0, so that it can be computed with. Comparisons have no gradient; a choice hands
//! it to the operand that it took.

use super::arithmetic::{broadcast_floats, index_map};
use super::elementwise::{SumTo, broadcast};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, Operator, Pointwise};
use crate::shader::parts;
use crate::tensor::{DType, Shape, TensorType};

/// 1 where the comparison holds and 0 elsewhere; both operands are broadcast to a common shape of at most six dimensions.
/// NaN is unequal to every number, itself too, and neither less nor greater. Zeros of either sign are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Compare {
    /// `lhs == rhs`
    Eq,
    /// `lhs != rhs`
    Ne,
    /// `lhs < rhs`
    Lt,
    /// `lhs <= rhs`
    Le,
    /// `lhs > rhs`
    Gt,
    /// `lhs >= rhs`
    Ge,
}

impl Operator for Compare {
    fn name(&self) -> &'static str {
        match self {
            Compare::Eq => "eq",
            Compare::Ne => "ne",
            Compare::Lt => "lt",
            Compare::Le => "le",
            Compare::Gt => "gt",
            Compare::Ge => "ge",
        }
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        broadcast_floats(inputs)
    }

    /// A loss may depend on comparisons too; they add nothing to its gradient.
    fn backward(&self, _cx: &mut BackwardContext<'_>) -> Result<()> {
        Ok(())
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let shape = broadcast(&inputs[0].shape, &inputs[1].shape).ok()?;
        let function = match self {
            Compare::Eq => "is_equal",
            Compare::Ne => "is_unequal",
            Compare::Lt => "is_less",
            Compare::Le => "is_at_most",
            Compare::Gt => "is_greater",
            Compare::Ge => "is_at_least",
        };
        let index_map = index_map(inputs, &shape)?;
        Some(Pointwise { file: &parts::comparison, function, index_map, numbers: vec![] })
    }

    fn tolerance(&self) -> f64 {
        0.0
    }
}

/// The second input where the first is true, else the third; all three are broadcast to a common shape of at most six
/// dimensions. Every number but 0 is true, NaN too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Where;

/// The common shape of three tensors of floats.
fn common(inputs: &[&TensorType]) -> Result<Shape, String> {
    if inputs.iter().any(|ty| ty.dtype != DType::F32) {
        let [condition, a, b] = [0, 1, 2].map(|i| inputs[i]);
        return Err(format!("expects three f32 tensors, found {condition}, {a} and {b}"));
    }
    broadcast(&broadcast(&inputs[0].shape, &inputs[1].shape)?, &inputs[2].shape)
}

impl Operator for Where {
    fn name(&self) -> &'static str {
        "where"
    }

    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![TensorType::f32(common(inputs)?)])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let (condition, dy) = (cx.input(0), cx.output_gradient(0)?);
        for i in (1..3).filter(|&i| cx.wants(i)).collect::<Vec<_>>() {
            let whole = cx.apply1(WhereGrad { chosen: i == 1 }, &[condition, dy])?;
            let shape = cx.shape(cx.input(i));
            let gradient =
                if shape == cx.shape(whole) { whole } else { cx.apply1(SumTo { shape }, &[whole])? };
            cx.set(i, gradient);
        }
        Ok(())
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let index_map = index_map(inputs, &common(inputs).ok()?)?;
        Some(Pointwise { file: &parts::comparison, function: "chosen_of_two", index_map, numbers: vec![] })
    }

    fn tolerance(&self) -> f64 {
        0.0
    }
}

/// Gradient of [`Where`] by one of its operands, before it is summed to that operand's shape: the output's gradient where
/// the operand was taken, else 0. Inputs: the condition, the output's gradient.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct WhereGrad {
    /// Whether the operand is the one that a true condition takes.
    pub chosen: bool,
}

impl Operator for WhereGrad {
    fn name(&self) -> &'static str {
        if self.chosen { "where_grad_lhs" } else { "where_grad_rhs" }
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [condition, dy] = [inputs[0], inputs[1]];
        let fits = broadcast(&condition.shape, &dy.shape).is_ok_and(|shape| shape == dy.shape);
        if inputs.iter().any(|ty| ty.dtype != DType::F32) || !fits {
            return Err(format!(
                "expects an f32 condition and a gradient that it broadcasts to, found {condition} and {dy}"
            ));
        }
        Ok(vec![dy.clone()])
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let index_map = index_map(inputs, &inputs[1].shape)?;
        Some(Pointwise { file: &parts::comparison, function: self.name(), index_map, numbers: vec![] })
    }

    fn tolerance(&self) -> f64 {
        0.0
    }
}

/// Defines methods for comparisons. All fail for shapes that do not broadcast and for inputs that are not f32.
macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident = $function:ident;)*) => {
        impl Graph {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// Shapes that do not broadcast, or inputs that are not f32.
                pub fn $name(&mut self, lhs: Value, rhs: Value) -> Result<Value> {
                    self.apply1(Compare::$function, &[lhs, rhs])
                }
            )*
        }
    };
}

comparisons! {
    /// 1 where `lhs == rhs` and 0 elsewhere, as f32, broadcast as NumPy and PyTorch do. NaN equals nothing. It has no
    /// gradient.
    eq = Eq;
    /// 1 where `lhs != rhs` and 0 elsewhere, as f32, broadcast as NumPy and PyTorch do. NaN is unequal to everything. It
    /// has no gradient.
    ne = Ne;
    /// 1 where `lhs < rhs` and 0 elsewhere, as f32, broadcast as NumPy and PyTorch do. NaN is less than nothing. It has no
    /// gradient.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::{Graph, HostTensor};
    ///
    /// let mut g = Graph::new();
    /// let x = g.input("x", [8, 10])?;
    /// let limit = g.constant(HostTensor::f32([], vec![0.5])?)?;
    /// let small = g.lt(x, limit)?;
    /// assert_eq!(g.shape(small)?, g.shape(x)?);
    /// # Ok(())
    /// # }
    /// ```
    lt = Lt;
    /// 1 where `lhs <= rhs` and 0 elsewhere, as f32, broadcast as NumPy and PyTorch do; 0 where either is NaN. It has no
    /// gradient.
    le = Le;
    /// 1 where `lhs > rhs` and 0 elsewhere, as f32, broadcast as NumPy and PyTorch do; 0 where either is NaN. It has no
    /// gradient.
    gt = Gt;
    /// 1 where `lhs >= rhs` and 0 elsewhere, as f32, broadcast as NumPy and PyTorch do; 0 where either is NaN. It has no
    /// gradient.
    ge = Ge;
}

impl Graph {
    /// `a` where `condition` is true, else `b`, all three broadcast as NumPy and PyTorch do: PyTorch's `torch.where`. Every
    /// number but 0 is true, NaN too. The gradient goes to the operand that was taken, and none to the condition. NaN and
    /// infinities of the other operand reach neither the output nor a gradient.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::{Graph, HostTensor};
    ///
    /// // log(x) where x is above 0, and 0 elsewhere.
    /// let mut g = Graph::new();
    /// let x = g.input("x", [8, 10])?;
    /// let zero = g.constant(HostTensor::f32([], vec![0.0])?)?;
    /// let positive = g.gt(x, zero)?;
    /// let logarithm = g.log(x)?;
    /// let y = g.where_(positive, logarithm, zero)?;
    /// assert_eq!(g.shape(y)?, g.shape(x)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Shapes that do not broadcast, or inputs that are not f32.
    pub fn where_(&mut self, condition: Value, a: Value, b: Value) -> Result<Value> {
        self.apply1(Where, &[condition, a, b])
    }
}
