//! Reshape and flatten: the same elements in the same order under another shape. They are views and cost nothing.

use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, LowerContext, Operator};
use crate::tensor::{Shape, TensorType};

/// The input's elements, row-major as they are, under another shape.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reshape {
    /// The output's shape, with as many elements as the input's.
    pub shape: Shape,
}

impl Operator for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let (from, to) = (inputs[0].shape.elements(), self.shape.elements());
        if from != to {
            return Err(format!(
                "input {} has {from} elements, shape {} has {to}",
                inputs[0].shape, self.shape
            ));
        }
        Ok(vec![TensorType { shape: self.shape.clone(), dtype: inputs[0].dtype }])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let shape = cx.shape(cx.input(0));
        let gradient = cx.apply1(Reshape { shape }, &[gradient])?;
        cx.set(0, gradient);
        Ok(())
    }

    fn lower(&self, _cx: &mut LowerContext<'_>) -> Result<()> {
        Ok(())
    }

    fn is_view(&self) -> bool {
        true
    }
}

impl Graph {
    /// The same elements in the same order under another shape.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    ///
    /// let mut g = Graph::new();
    /// let x = g.input("x", [8, 16, 4, 4])?;
    /// let rows = g.reshape(x, [8, 256])?; // costs nothing
    /// assert_eq!(g.shape(rows)?[..], [8, 256]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A shape of another number of elements.
    pub fn reshape(&mut self, x: Value, shape: impl Into<Shape>) -> Result<Value> {
        self.apply1(Reshape { shape: shape.into() }, &[x])
    }

    /// `[n, c, h, w]`, or anything with a first dimension, as `[n, c * h * w]`.
    ///
    /// # Errors
    /// A scalar, which has no first dimension.
    pub fn flatten(&mut self, x: Value) -> Result<Value> {
        self.check_owned([x])?;
        let shape = self.shape_of(x);
        let Some((&first, rest)) = shape.split_first() else {
            let message = "expects an input with at least 1 dimension, found a scalar";
            return Err(self.refusal("flatten", message.into()));
        };
        let shape = [first, rest.iter().product()];
        self.reshape(x, shape)
    }
}
