//! The padding layer.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};
use crate::ops::pad::PadMode;

/// Adds elements before and after the last dimensions. [`Graph::pad`] has the details. No parameters.
#[doc(alias = "ZeroPad2d")]
#[doc(alias = "ConstantPad2d")]
#[doc(alias = "ReflectionPad2d")]
#[doc(alias = "ReplicationPad2d")]
#[doc(alias = "CircularPad2d")]
#[derive(Clone, PartialEq, Debug)]
pub struct Pad {
    amounts: Vec<[usize; 2]>,
    mode: PadMode,
}

impl Pad {
    /// Adds these amounts before and after each of the last dimensions, outermost first: `[[top, bottom],
    /// [left, right]]` for images.
    pub fn new(amounts: impl Into<Vec<[usize; 2]>>, mode: PadMode) -> Self {
        Pad { amounts: amounts.into(), mode }
    }
}

impl Layer for Pad {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        g.pad(x, self.amounts.clone(), self.mode)
    }
}
