//! Pooling by p-norms.

use super::parts::PARTS;
use super::parts::{self, is_short};
use super::windows::Takes;
use super::{Pool2d, Windows, check_gradient, plane};
use crate::error::Result;
use crate::op::{BackwardContext, Caps, LowerContext, Operator, Variant};
use crate::ops::checks;
use crate::shader::{self, Kernel, ShaderFile};
use crate::tensor::{Shape, TensorType};

/// The largest p whose powers are computed by multiplication.
const LARGEST_WHOLE: f32 = 8.0;

/// p and the windows of its norms.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Norm {
    /// The exponent, above 0 and finite.
    pub p: f32,
    /// The windows, without padding.
    pub pool: Pool2d,
}

impl Norm {
    /// Whether powers keep their sign, like x^p and unlike |x|^p: p is an odd whole number.
    pub fn is_odd(&self) -> bool {
        self.p % 2.0 == 1.0
    }

    fn check(&self) -> Result<(), String> {
        // The root is a power, too.
        if !(self.p > 0.0 && self.p.is_finite() && (1.0 / self.p).is_finite()) {
            return Err(format!("norm_type must be above 0, it and its inverse finite, found {}", self.p));
        }
        self.pool.check("Lp pooling", Takes { padding: false, dilation: false, divisor: false })
    }

    fn windows(&self) -> Windows {
        self.pool.into()
    }

    /// p if powers are computed by multiplication, and zero otherwise.
    fn whole(&self) -> u32 {
        if self.p.fract() == 0.0 && self.p <= LARGEST_WHOLE { self.p as u32 } else { 0 }
    }

    /// Fills the holes of a kernel over windows.
    fn fill(
        &self,
        cx: &LowerContext<'_>,
        kernel: Kernel,
        file: &'static ShaderFile,
        input: &Shape,
    ) -> Result<Kernel> {
        let kernel = self.windows().fill(cx, kernel.fill(file), input)?;
        Ok(kernel.with("P", self.p).with("ODD", self.is_odd()).with("WHOLE", self.whole()))
    }

    /// Loop iterations over one window, and over the windows that cover an element.
    fn iterations(&self, input: &Shape) -> [u64; 2] {
        let (windows, each) = (self.windows(), u64::from(self.whole()));
        [windows.tap_iterations(input, each), windows.cover_iterations(input, each)]
    }
}

/// The p-norm of each window, as defined by [`Graph::lp_pool2d`](crate::Graph::lp_pool2d). Inputs: x (N, C, H, W).
/// Outputs: y.
#[derive(Clone, Debug, PartialEq)]
pub struct LpPool2d(pub Norm);

impl Operator for LpPool2d {
    fn name(&self) -> &'static str {
        "lp_pool2d"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        checks::images(inputs[0])?;
        self.0.check()?;
        Ok(vec![TensorType::f32(self.0.windows().output_shape(&inputs[0].shape)?)])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let gradient = cx.apply1(LpPool2dGrad(self.0), &[gradient, cx.input(0), cx.output(0)])?;
        cx.set(0, gradient);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        vec![if is_short(self.0.iterations(&inputs[0].shape)[0]) { Variant::DEFAULT } else { PARTS }]
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let outputs = cx.output_type(0).shape.elements();
        let input = cx.input_type(0).shape.clone();
        if cx.variant() == PARTS {
            let fill = |cx: &LowerContext<'_>, kernel: Kernel| {
                self.0.fill(cx, kernel, &shader::parts::pool2d_lp, &input)
            };
            let each = u64::from(self.0.whole());
            return parts::lower_sum(cx, &self.0.windows(), &input, each, None, &fill);
        }
        let (kernel, groups) = cx.made_by(&shader::parts::pool2d_sum, outputs, 1)?;
        let kernel = self.0.fill(cx, kernel, &shader::parts::pool2d_lp, &input)?;
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch_epilogue(kernel.iterations(self.0.iterations(&input)[0]), &operands, groups, 1);
        Ok(())
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        let windows = self.0.windows();
        windows.serial_terms(windows.kernel(plane(&inputs[0].shape)), variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        2 * self.0.windows().flops(&inputs[0].shape)
    }
}

/// The gradient of [`LpPool2d`]. Inputs: the output's gradient, x and y. Output: the gradient of x.
#[derive(Clone, Debug, PartialEq)]
pub struct LpPool2dGrad(pub Norm);

impl Operator for LpPool2dGrad {
    fn name(&self) -> &'static str {
        "lp_pool2d_grad"
    }

    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        checks::images(inputs[1])?;
        self.0.check()?;
        let output = self.0.windows().output_shape(&inputs[1].shape)?;
        check_gradient(inputs[0], &output)?;
        if *inputs[2] != TensorType::f32(output.clone()) {
            return Err(format!("expected the output as f32 {output}, found {}", inputs[2]));
        }
        Ok(vec![inputs[1].clone()])
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        vec![if is_short(self.0.iterations(&inputs[1].shape)[1]) { Variant::DEFAULT } else { PARTS }]
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let input = cx.input_type(1).shape.clone();
        let elements = input.elements();
        if cx.variant() == PARTS {
            let fill = |cx: &LowerContext<'_>, kernel: Kernel| {
                self.0.fill(cx, kernel, &shader::parts::pool2d_lp_share, &input)
            };
            let (each, operands) = (u64::from(self.0.whole()), [cx.input(0), cx.input(1), cx.input(2)]);
            return parts::lower_gather(cx, &self.0.windows(), &input, each, &operands, &fill);
        }
        let (kernel, groups) = cx.made_by(&shader::parts::pool2d_gather, elements, 1)?;
        let kernel = self.0.fill(cx, kernel, &shader::parts::pool2d_lp_share, &input)?;
        let operands = [cx.input(0), cx.input(1), cx.input(2), cx.output(0)];
        cx.dispatch_epilogue(kernel.iterations(self.0.iterations(&input)[1]), &operands, groups, 1);
        Ok(())
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        let windows = self.0.windows();
        windows.serial_terms(windows.covers(plane(&inputs[1].shape)), variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        3 * self.0.windows().flops(&inputs[1].shape)
    }
}
