//! Max unpooling, which puts values back where max pooling found the largest, and its gradient.

use super::max::{check_max, check_taps, kept_taps};
use super::parts::is_short;
use super::{LANES, MaxPool2dOptions, Pool2d, Windows, check_gradient};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, Caps, LowerContext, Operand, Operator, Variant};
use crate::ops::checks;
use crate::shader::{Kernel, ShaderFile, kernels, parts};
use crate::tensor::{Shape, TensorType};

const LAST: Variant = Variant::new("last");

/// The places at which max pooling found the largest elements, for [`Graph::max_unpool2d`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaxIndices {
    taps: Value,
    pool: Pool2d,
    input: [usize; 2],
}

impl MaxIndices {
    /// Height and width of the pooling's input.
    pub fn input_size(&self) -> [usize; 2] {
        self.input
    }
}

/// The windows of a max unpooling and the size of its output.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Unpool {
    /// The windows of the max pooling.
    pub pool: Pool2d,
    /// Height and width of the output.
    pub output_size: [usize; 2],
}

impl Unpool {
    pub(crate) fn windows(&self) -> Windows {
        self.pool.into()
    }

    /// Shape of the output for an input of this shape. The pooling must make the input's shape from it.
    pub(crate) fn output_shape(&self, input: &Shape) -> Result<Shape, String> {
        check_max(&self.windows())?;
        let [h, w] = self.output_size;
        let pooled =
            self.pool.output_size([h, w]).map_err(|e| format!("invalid output_size [{h}, {w}]: {e}"))?;
        if pooled != [input[2], input[3]] {
            return Err(format!(
                "invalid output_size [{h}, {w}]: max pooling makes {pooled:?} of it, the input has [{}, {}]",
                input[2], input[3]
            ));
        }
        Ok(Shape::from([input[0], input[1], h, w]))
    }

    /// Fills the hole of the windows of a kernel over those in the output.
    fn fill(&self, cx: &LowerContext<'_>, kernel: Kernel, output: &Shape) -> Result<Kernel> {
        let kernel = self.windows().fill(cx, kernel, output)?;
        if !kernel.has(&parts::pool2d_winner) {
            return Ok(kernel);
        }
        Ok(kernel.with("TAPS_PER_WORD", self.windows().taps_per_word(self.output_size) as u32))
    }

    /// Loop iterations over the windows that cover an element of the output.
    fn iterations(&self, output: &Shape) -> u64 {
        self.windows().cover_iterations(output, 0)
    }

    fn variants(&self, output: &Shape) -> Vec<Variant> {
        vec![if is_short(self.iterations(output)) { Variant::DEFAULT } else { LAST }]
    }

    /// The kernel that makes `elements` elements by a file, its workgroups, and a further operand: if many windows
    /// cover an element, a pass over the windows finds the last one in which it won.
    fn kernel(
        &self,
        cx: &mut LowerContext<'_>,
        (made, elements): (&'static ShaderFile, usize),
        output: &Shape,
        windows: usize,
    ) -> Result<(Kernel, usize, Option<Operand>)> {
        let (made, groups) = cx.made_by(made, elements, 1)?;
        if cx.variant() != LAST {
            let kernel = self.fill(cx, made.fill(&parts::pool2d_last_winner), output)?;
            return Ok((kernel.iterations(self.iterations(output)), groups, None));
        }
        let elements = output.elements();
        let last = cx.temporary(elements);
        let kernel = Kernel::new(&kernels::fill).with("ELEMENTS", cx.index(elements)?).with("VALUE", 0u32);
        cx.dispatch(kernel, std::slice::from_ref(&last), elements.div_ceil(LANES));
        let kernel = self
            .fill(cx, Kernel::new(&kernels::max_unpool2d_last), output)?
            .with("OUTPUTS", cx.index(windows)?);
        cx.dispatch(kernel, &[last.clone(), cx.input(1)], windows.div_ceil(LANES));
        Ok((self.fill(cx, made.fill(&parts::pool2d_last_kept), output)?, groups, Some(last)))
    }
}

/// Values at the places where max pooling found the largest, zeros elsewhere. Inputs: x (N, C, H, W) of the shape of
/// the pooling's output, and its taps. Outputs: y.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxUnpool2d(pub Unpool);

impl Operator for MaxUnpool2d {
    fn name(&self) -> &'static str {
        "max_unpool2d"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        checks::images(inputs[0])?;
        let output = self.0.output_shape(&inputs[0].shape)?;
        check_taps(inputs[1], &kept_taps(&self.0.windows(), &output, &inputs[0].shape))?;
        Ok(vec![TensorType::f32(output)])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let input = cx.shape(cx.input(0));
        let operator = MaxUnpool2dGrad { unpool: self.0, input };
        let gradient = cx.apply1(operator, &[gradient, cx.input(1)])?;
        cx.set(0, gradient);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        self.0
            .output_shape(&inputs[0].shape)
            .map_or(vec![Variant::DEFAULT], |output| self.0.variants(&output))
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let output = cx.output_type(0).shape.clone();
        let windows = cx.input_type(0).shape.elements();
        let made = (&parts::max_unpool2d, output.elements());
        let (kernel, groups, last) = self.0.kernel(cx, made, &output, windows)?;
        // What is found beforehand leaves no use for the taps.
        let taps = kernel.has(&parts::pool2d_winner).then(|| cx.input(1));
        let operands: Vec<Operand> =
            [cx.input(0)].into_iter().chain(taps).chain(last).chain([cx.output(0)]).collect();
        cx.dispatch_epilogue(kernel, &operands, groups, 1);
        Ok(())
    }
}

/// The gradient of [`MaxUnpool2d`]. Inputs: the output's gradient and the taps. Output: the gradient of x.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxUnpool2dGrad {
    /// The windows and the output's size.
    pub unpool: Unpool,
    /// Shape of the forward input.
    pub input: Shape,
}

impl Operator for MaxUnpool2dGrad {
    fn name(&self) -> &'static str {
        "max_unpool2d_grad"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let ty = TensorType::f32(self.input.clone());
        checks::images(&ty)?;
        let output = self.unpool.output_shape(&self.input)?;
        check_gradient(inputs[0], &output)?;
        check_taps(inputs[1], &kept_taps(&self.unpool.windows(), &output, &self.input))?;
        Ok(vec![ty])
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        self.unpool.variants(&inputs[0].shape)
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let outputs = self.input.elements();
        let output = cx.input_type(0).shape.clone();
        let made = (&parts::max_unpool2d_grad, outputs);
        let (kernel, groups, last) = self.unpool.kernel(cx, made, &output, outputs)?;
        let operands: Vec<Operand> =
            [cx.input(0), cx.input(1)].into_iter().chain(last).chain([cx.output(0)]).collect();
        cx.dispatch_epilogue(kernel, &operands, groups, 1);
        Ok(())
    }
}

impl Graph {
    /// [`Graph::max_pool2d`], and the places at which it found the largest elements.
    ///
    /// # Errors
    /// As [`Graph::max_pool2d`].
    pub fn max_pool2d_with_indices(
        &mut self,
        x: Value,
        options: MaxPool2dOptions,
    ) -> Result<(Value, MaxIndices)> {
        let pool = Pool2d::from(options);
        let outputs = self.apply(super::MaxPool2d(pool.into()), &[x])?;
        let input = [self.shape_of(x)[2], self.shape_of(x)[3]];
        Ok((outputs[0], MaxIndices { taps: outputs[1], pool, input }))
    }

    /// Puts the values of `x`, which has the shape of max pooling's output, back at the places where the pooling
    /// found the largest elements; zeros elsewhere. The output is (N, C, H, W) with H and W from `output_size`.
    ///
    /// The output's size is usually [`MaxIndices::input_size`]. Another size is valid too if the windows make as many
    /// outputs from it; winners outside of it are left out. If several overlapping windows found the same element, it
    /// gets the value of the last of them, row by row, and the others get no gradient. (PyTorch does not define which
    /// value that is, and gives all of them the element's gradient.)
    ///
    /// # Errors
    /// Another rank or type; indices of another shape than `x`; a size from which max pooling would not make `x`'s
    /// size.
    pub fn max_unpool2d(&mut self, x: Value, indices: &MaxIndices, output_size: [usize; 2]) -> Result<Value> {
        self.apply1(MaxUnpool2d(Unpool { pool: indices.pool, output_size }), &[x, indices.taps])
    }
}
