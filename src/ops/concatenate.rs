//! Concatenation of tensors along an axis.

use super::slice::{Slice, SliceAxis};
use super::strided_copy;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::occupancy::{ITEMS, LANES};
use crate::op::{BackwardContext, Caps, LowerContext, Operator, Preference, Variant};
use crate::ops::checks;
use crate::ops::strided_copy::{SCALAR, VEC4};
use crate::shader::{Kernel, kernels};
use crate::tensor::{Shape, TensorType};
use std::fmt::Write as _;

/// Inputs of one dispatch. With the output they are as many bindings as every adapter has.
const SOURCES: usize = 7;

/// The inputs one after the other along an axis. They agree in all other dimensions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Concatenate {
    /// The dimension whose sizes add up.
    pub axis: usize,
}

impl Concatenate {
    /// Elements of an input that lie side by side in the output.
    fn run(self, input: &Shape) -> usize {
        input[self.axis..].iter().product()
    }
}

impl Operator for Concatenate {
    fn name(&self) -> &'static str {
        "concatenate"
    }

    fn arity(&self) -> (usize, usize) {
        (1, usize::MAX)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let first = inputs[0];
        let mut sizes = first.shape.to_vec();
        checks::axis(self.axis, &first.shape)?;
        sizes[self.axis] = 0;
        for (number, input) in inputs.iter().enumerate() {
            strided_copy::check_input(input)?;
            if input.shape.len() != sizes.len() {
                return Err(format!(
                    "tensors must have same number of dimensions: got {} and {}",
                    sizes.len(),
                    input.shape.len()
                ));
            }
            let others = (0..sizes.len()).filter(|&d| d != self.axis);
            if let Some(d) = others.into_iter().find(|&d| input.shape[d] != sizes[d]) {
                return Err(format!(
                    "sizes of tensors must match except in dimension {}. Expected size {} but got size {} in dimension {d} for tensor number {number} in the list",
                    self.axis, sizes[d], input.shape[d]
                ));
            }
            sizes[self.axis] = sizes[self.axis].saturating_add(input.shape[self.axis]);
        }
        Ok(vec![TensorType::f32(sizes)])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let dy = cx.output_gradient(0)?;
        let whole: Vec<SliceAxis> = cx.shape(dy).iter().map(|&size| SliceAxis::whole(size)).collect();
        let mut start = 0;
        for i in 0..cx.inputs() {
            let size = cx.shape(cx.input(i))[self.axis];
            if cx.wants(i) {
                let mut axes = whole.clone();
                axes[self.axis] = SliceAxis { start, step: 1, size };
                let gradient = cx.apply1(Slice { axes }, &[dy])?;
                cx.set(i, gradient);
            }
            start += size;
        }
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        let fours = inputs.iter().all(|input| self.run(&input.shape).is_multiple_of(4));
        if fours { vec![VEC4, SCALAR] } else { vec![SCALAR] }
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::all(&[VEC4, SCALAR])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let width = if cx.variant() == VEC4 { 4 } else { 1 };
        let runs: Vec<usize> = (0..cx.inputs()).map(|i| self.run(&cx.input_type(i).shape) / width).collect();
        let rows = cx.input_type(0).shape[..self.axis].iter().product::<usize>();
        let row = runs.iter().sum();
        let mut start = 0;
        for (chunk, runs) in runs.chunks(SOURCES).enumerate() {
            let columns: usize = runs.iter().sum();
            let kernel = Kernel::new(&kernels::concatenate)
                .with("ELEMENTS", cx.index(rows * columns)?)
                .with("ITEMS", ITEMS as u32)
                .iterations(ITEMS as u64)
                .epilogue_calls(ITEMS as u64)
                .with("ROW", cx.index(row)?)
                .with("START", cx.index(start)?)
                .with("COLUMNS", cx.index(columns)?)
                .fill_written(&["piece"], &[], pieces(runs));
            let mut operands = vec![cx.output(0)];
            operands.extend((0..runs.len()).map(|i| cx.input(chunk * SOURCES + i)));
            cx.dispatch_epilogue(kernel, &operands, (rows * columns).div_ceil(LANES * ITEMS), width);
            start += columns;
        }
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }
}

/// Declares the sources, whose runs of these lengths lie side by side, and `piece`, which finds an element among
/// them.
fn pieces(runs: &[usize]) -> String {
    let (mut declarations, mut body, mut end) = (String::new(), String::new(), 0);
    for (i, run) in runs.iter().enumerate() {
        let binding = i + 1;
        let _ = writeln!(
            declarations,
            "@group(0) @binding({binding}) var<storage, read> source_{i}: array<Element>;"
        );
        let load = format!("return source_{i}[row * {run}u + (column - {end}u)];");
        end += run;
        let _ = if binding < runs.len() {
            writeln!(body, "    if (column < {end}u) {{\n        {load}\n    }}")
        } else {
            writeln!(body, "    {load}")
        };
    }
    format!("{declarations}fn piece(row: u32, column: u32) -> Element {{\n{body}}}\n")
}

impl Graph {
    /// `values` one after the other along `axis`.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    ///
    /// let mut g = Graph::new();
    /// let (x, skip) = (g.input("x", [8, 16, 32, 32])?, g.input("skip", [8, 8, 32, 32])?);
    /// let y = g.concatenate(&[x, skip], 1)?; // channels
    /// assert_eq!(g.shape(y)?[..], [8, 24, 32, 32]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No values, an axis that they do not have, sizes that differ in another dimension, more than 6
    /// dimensions, inputs that are not f32.
    pub fn concatenate(&mut self, values: &[Value], axis: usize) -> Result<Value> {
        self.apply1(Concatenate { axis }, values)
    }
}
