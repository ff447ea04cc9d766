//! Average pooling. Windows that tile the input by twos and windows that are the whole plane, which end
//! most networks, have kernels of their own.

use super::{GROUP, Pool2d, check_gradient, check_images, geometry, window_flops};
use crate::error::Result;
use crate::graph::Backward;
use crate::ops::Operator;
use crate::plan::{Caps, Lower};
use crate::reference::{Array, pool2d as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{Shape, TensorType};

static TEAM: ShaderFile = shader_file!("shared/team");
static PACK_1: ShaderFile = shader_file!("shared/pack_1");
static PACK_4: ShaderFile = shader_file!("shared/pack_4");
static AVG: ShaderFile = shader_file!("avg_pool2d");
static AVG_2X2: ShaderFile = shader_file!("avg_pool2d_2x2");
static AVG_GLOBAL: ShaderFile = shader_file!("avg_pool2d_global");
static AVG_GRAD: ShaderFile = shader_file!("avg_pool2d_grad");
static AVG_GRAD_2X2: ShaderFile = shader_file!("avg_pool2d_grad_2x2");
static AVG_GRAD_GLOBAL: ShaderFile = shader_file!("avg_pool2d_grad_global");

/// Invocations of a workgroup.
const LANES: usize = 64;

/// Numbers that are taken together, and the file that says how, for planes of this size.
fn pack(plane: usize) -> (usize, &'static ShaderFile) {
    if plane.is_multiple_of(4) { (4, &PACK_4) } else { (1, &PACK_1) }
}

/// Whether the one window of a plane is the plane.
fn is_global(pool: &Pool2d, input: &Shape) -> bool {
    pool.padding == [0, 0] && pool.kernel == [input[2], input[3]]
}

/// Whether windows are two by two, tile the input, and come in fours.
fn is_two_by_two(pool: &Pool2d, input: &Shape) -> bool {
    pool.tiles_by_two([input[2], input[3]]) && input.elements().is_multiple_of(16)
}

/// The mean of each window, padding taken as zeros. Inputs: x (N, C, H, W). Outputs: y.
#[derive(Clone, Debug, PartialEq)]
pub struct AvgPool2d(pub Pool2d);

impl Operator for AvgPool2d {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        check_images(inputs[0])?;
        self.0.undilated()?;
        Ok(vec![TensorType::f32(self.0.output_shape(&inputs[0].shape)?)])
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        let input = &inputs[0].shape;
        let mut variants = vec!["default"];
        if is_two_by_two(&self.0, input) {
            variants.push("two_by_two");
        }
        if is_global(&self.0, input) {
            variants.extend(["global", "global_wide"]);
        }
        variants
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let input = cx.shape(cx.input(0));
        let gradient = cx.apply1(AvgPool2dGrad { pool: self.0, input }, &[gradient])?;
        cx.set(0, gradient);
        Ok(())
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let (input, output) = (&cx.input_type(0).shape, &cx.output_type(0).shape);
        let outputs = output.elements();
        let (kernel, invocations) = match cx.variant() {
            "two_by_two" => {
                let words = outputs / 4;
                let kernel = Kernel::new(&[&GROUP, &AVG_2X2])
                    .with("WORDS", cx.index(words)?)
                    .with("OUT_W", cx.index(output[3])?);
                (kernel, words)
            }
            "global" | "global_wide" => {
                let count = input[2] * input[3];
                let (width, pack) = pack(count);
                let plane = count / width;
                // A few packs for each invocation, where there are many of them to keep busy.
                let wide = cx.variant() == "global_wide";
                let team = if wide { plane.div_ceil(4).next_power_of_two().min(LANES) } else { 1 };
                let kernel = Kernel::new(&[&GROUP, pack, &TEAM, &AVG_GLOBAL])
                    .with("TEAM", cx.index(team)?)
                    .with("PLANES", cx.index(outputs)?)
                    .with("PLANE", cx.index(plane)?)
                    .with("COUNT", cx.index(count)?);
                (kernel, outputs * team)
            }
            _ => {
                let inside = self.0.inside([input[2], input[3]], [output[2], output[3]]);
                let kernel = geometry(cx, Kernel::new(&[&GROUP, &AVG]), &self.0, input, output)?
                    .with("OUTPUTS", cx.index(outputs)?)
                    .with("COUNT_INCLUDE_PAD", self.0.count_include_pad)
                    .with("INSIDE", inside);
                (kernel, outputs)
            }
        };
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch(kernel, &operands, invocations.div_ceil(LANES));
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::avg_pool2d(inputs[0], &self.0)]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        window_flops(&self.0, &inputs[0].shape)
    }
}

/// The gradient of [`AvgPool2d`]. Inputs: the output's gradient. Output: the gradient of x.
#[derive(Clone, Debug, PartialEq)]
pub struct AvgPool2dGrad {
    /// The windows.
    pub pool: Pool2d,
    /// Shape of the forward input.
    pub input: Shape,
}

impl Operator for AvgPool2dGrad {
    fn name(&self) -> &'static str {
        "avg_pool2d_grad"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let kind = TensorType::f32(self.input.clone());
        check_images(&kind)?;
        self.pool.undilated()?;
        check_gradient(inputs[0], &self.pool.output_shape(&self.input)?)?;
        Ok(vec![kind])
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        let mut variants = vec!["default"];
        if is_two_by_two(&self.pool, &self.input) {
            variants.push("two_by_two");
        }
        if is_global(&self.pool, &self.input) {
            variants.push("global");
        }
        variants
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let (input, output) = (&self.input, &cx.input_type(0).shape);
        let elements = input.elements();
        let (kernel, invocations) = match cx.variant() {
            "two_by_two" => {
                let words = output.elements() / 4;
                let kernel = Kernel::new(&[&GROUP, &AVG_GRAD_2X2])
                    .with("WORDS", cx.index(words)?)
                    .with("OUT_W", cx.index(output[3])?);
                (kernel, words)
            }
            "global" => {
                let count = input[2] * input[3];
                let (width, pack) = pack(count);
                let kernel = Kernel::new(&[&GROUP, pack, &AVG_GRAD_GLOBAL])
                    .with("PACKS", cx.index(elements / width)?)
                    .with("PLANE", cx.index(count / width)?)
                    .with("COUNT", cx.index(count)?);
                (kernel, elements / width)
            }
            _ => {
                let [windows_h, windows_w] = self.pool.windows();
                let inside = self.pool.inside([input[2], input[3]], [output[2], output[3]]);
                let kernel = geometry(cx, Kernel::new(&[&GROUP, &AVG_GRAD]), &self.pool, input, output)?
                    .with("ELEMENTS", cx.index(elements)?)
                    .with("COUNT_INCLUDE_PAD", self.pool.count_include_pad)
                    .with("INSIDE", inside)
                    .with("WINDOWS_H", windows_h as i32)
                    .with("WINDOWS_W", windows_w as i32);
                (kernel, elements)
            }
        };
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch(kernel, &operands, invocations.div_ceil(LANES));
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::avg_pool2d_grad(inputs[0], &self.pool, &self.input)]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        window_flops(&self.pool, &self.input).max(inputs[0].shape.elements() as u64)
    }
}
