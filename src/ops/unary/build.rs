//! The methods of the graph.

use super::Unary;
use crate::error::Result;
use crate::graph::{Graph, Value};

impl Graph {
    /// `max(x, 0)`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    pub fn relu(&mut self, x: Value) -> Result<Value> {
        self.apply1(Unary::Relu, &[x])
    }

    /// `1 / (1 + exp(-x))`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    pub fn sigmoid(&mut self, x: Value) -> Result<Value> {
        self.apply1(Unary::Sigmoid, &[x])
    }

    /// The hyperbolic tangent, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    pub fn tanh(&mut self, x: Value) -> Result<Value> {
        self.apply1(Unary::Tanh, &[x])
    }

    /// `factor * x`, element by element.
    ///
    /// # Errors
    /// A factor that is not finite, or an input that is not f32.
    pub fn scale(&mut self, x: Value, factor: f32) -> Result<Value> {
        self.apply1(Unary::Scale { factor }, &[x])
    }

    /// `x + amount`, element by element.
    ///
    /// # Errors
    /// An amount that is not finite, or an input that is not f32.
    pub fn shift(&mut self, x: Value, amount: f32) -> Result<Value> {
        self.apply1(Unary::Shift { amount }, &[x])
    }

    /// `-x`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    pub fn neg(&mut self, x: Value) -> Result<Value> {
        self.scale(x, -1.0)
    }
}
