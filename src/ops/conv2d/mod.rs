//! Two-dimensional convolution (cross-correlation): output, gradient of input, of weight, of bias.
//!
//! Stride, padding, dilation and groups are attributes of one family: each pass is a matrix product
//! whose operands are gathered on the way (`gemm`, `register`), a product with a materialised
//! matrix (`im2col`), or a sliding window (`direct`, `depthwise`). Here are the attributes and the
//! forward pass; `gradients` holds the other passes, `geometry` the sizes, `correlation` the sliding
//! windows of output and input's gradient, `grad_weight` those of the weight's, and `phases` the
//! product of a strided convolution's input gradient.

mod correlation;
mod geometry;
mod grad_weight;
mod gradients;
mod phases;

pub use gradients::{Conv2dGradBias, Conv2dGradInput, Conv2dGradWeight};

use super::Operator;
use super::gemm::{Body, Epilogue, Gemm, Part};
use super::matmul::{lhs, require_f32, rhs};
use crate::error::Result;
use crate::graph::{Backward, Graph, Value};
use crate::plan::{AdapterKind, Caps, Lower, choice};
use crate::reference::{Array, conv2d as reference};
use crate::shader::ShaderFile;
use crate::shader_file;
use crate::tensor::{Shape, TensorType};
use correlation::Correlation;
use geometry::{Geometry, plane_store};

static INPUT_COLUMNS: ShaderFile = shader_file!("conv2d_input_columns");
static PIXELS: ShaderFile = shader_file!("conv2d_pixels");
static IM2COL: ShaderFile = shader_file!("conv2d_im2col");

/// Attributes of a convolution, each per axis (height, width), with PyTorch's meaning and defaults.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Conv2d {
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Zeros added on both sides.
    pub padding: [usize; 2],
    /// Steps between a window's taps.
    pub dilation: [usize; 2],
    /// Groups of channels that see nothing of each other.
    pub groups: usize,
}

impl Default for Conv2d {
    fn default() -> Self {
        Conv2d { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

impl Conv2d {
    /// Sets the stride.
    #[must_use]
    pub fn stride(mut self, stride: [usize; 2]) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the padding.
    #[must_use]
    pub fn padding(mut self, padding: [usize; 2]) -> Self {
        self.padding = padding;
        self
    }

    /// Sets the dilation.
    #[must_use]
    pub fn dilation(mut self, dilation: [usize; 2]) -> Self {
        self.dilation = dilation;
        self
    }

    /// Sets the number of groups.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Height and width of the output: (size + 2 padding - dilation (kernel - 1) - 1) / stride + 1.
    fn output_size(&self, size: [usize; 2], kernel: [usize; 2]) -> Result<[usize; 2], String> {
        let mut output = [0; 2];
        for axis in 0..2 {
            if self.stride[axis] == 0 || self.dilation[axis] == 0 {
                return Err(format!(
                    "stride and dilation must be at least 1, found stride {:?} and dilation {:?}",
                    self.stride, self.dilation
                ));
            }
            let padded = size[axis].saturating_add(self.padding[axis].saturating_mul(2));
            let extent = self.dilation[axis].saturating_mul(kernel[axis] - 1).saturating_add(1);
            if extent > padded {
                return Err(format!(
                    "the kernel covers {extent} along the {} but the padded input has only {padded}; kernel {kernel:?}, dilation {:?}, input {size:?}, padding {:?}",
                    ["height", "width"][axis],
                    self.dilation,
                    self.padding
                ));
            }
            output[axis] = (padded - extent) / self.stride[axis] + 1;
        }
        Ok(output)
    }

    /// The sizes of a convolution of this input by this weight, checked.
    fn geometry(&self, input: &Shape, weight: &Shape) -> Result<Geometry, String> {
        if input.len() != 4 || weight.len() != 4 {
            return Err(format!(
                "input must be (images, channels, height, width) and weight (out, in, height, width), found {input} and {weight}"
            ));
        }
        let groups = self.groups;
        if groups == 0 || !input[1].is_multiple_of(groups) || !weight[0].is_multiple_of(groups) {
            return Err(format!(
                "{groups} groups do not divide {} input and {} output channels",
                input[1], weight[0]
            ));
        }
        if input[1] != weight[1] * groups {
            return Err(if groups == 1 {
                format!("input has {} channels, weight expects {}", input[1], weight[1])
            } else {
                format!(
                    "input has {} channels, weight expects {} in each of {groups} groups",
                    input[1], weight[1]
                )
            });
        }
        let (size, kernel) = ([input[2], input[3]], [weight[2], weight[3]]);
        Ok(Geometry {
            attributes: *self,
            images: input[0],
            channels: weight[1],
            results: weight[0] / groups,
            size,
            kernel,
            output: self.output_size(size, kernel)?,
        })
    }
}
impl Operator for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        require_f32(inputs)?;
        let geometry = self.geometry(&inputs[0].shape, &inputs[1].shape)?;
        let results = inputs[1].shape[0];
        if let Some(bias) = inputs.get(2)
            && bias.shape != Shape::from([results])
        {
            return Err(format!(
                "bias must be [{results}] for weight {}, found {}",
                inputs[1].shape, bias.shape
            ));
        }
        Ok(vec![TensorType::f32(geometry.output_shape())])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let (input, weight) = (cx.input(0), cx.input(1));
        if cx.wants(0) {
            let shape = cx.shape(input);
            let value =
                cx.apply1(Conv2dGradInput { attributes: *self, input: shape }, &[gradient, weight])?;
            cx.set(0, value);
        }
        if cx.wants(1) {
            let shape = cx.shape(weight);
            let value =
                cx.apply1(Conv2dGradWeight { attributes: *self, weight: shape }, &[gradient, input])?;
            cx.set(1, value);
        }
        if cx.inputs() > 2 && cx.wants(2) {
            let value = cx.apply1(Conv2dGradBias, &[gradient])?;
            cx.set(2, value);
        }
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], caps: &Caps) -> Vec<&'static str> {
        let depthwise = self
            .geometry(&inputs[0].shape, &inputs[1].shape)
            .is_ok_and(|g| g.is_depthwise())
            .then_some("depthwise");
        ["gemm", "direct", "register", "im2col"]
            .into_iter()
            .chain(depthwise)
            .chain(Correlation::subgroup_variant(caps))
            .chain(Body::subgroup(caps))
            .collect()
    }

    fn finishes(&self) -> bool {
        true
    }

    fn shape_class(&self, inputs: &[&TensorType]) -> &'static str {
        self.geometry(&inputs[0].shape, &inputs[1].shape).map_or(choice::ANY, |g| g.class())
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let geometry = self
            .geometry(&cx.input_type(0).shape, &cx.input_type(1).shape)
            .expect("the graph has checked the shapes");
        let (input, weight, output) = (cx.input(0), cx.input(1), cx.output(0));
        let bias = (cx.inputs() > 2).then(|| cx.input(2));
        let correlation = Correlation::output(&geometry);
        match cx.variant() {
            "direct" => return correlation.lower_direct(cx, false, weight, input, output, bias),
            "direct_subgroup" => return correlation.lower_direct(cx, true, weight, input, output, bias),
            "depthwise" => return correlation.lower_depthwise(cx, weight, input, output, bias),
            _ => {}
        }
        let m = geometry.results;
        let k = geometry.channels * geometry.taps();
        let n = geometry.images * geometry.pixels();
        let mut gemm = Gemm {
            body: Body::named(cx.variant()),
            m,
            n,
            k,
            batches: self.groups,
            lhs: lhs(false, cx.index(m)?, cx.index(k)?),
            rhs: Part::new(if geometry.is_pointwise_in_fours() { &PIXELS } else { &INPUT_COLUMNS }),
            store: plane_store(geometry.pixels(), cx)?,
            common: Some(geometry.constants(cx)?),
            epilogue: bias.map_or(Epilogue::None, Epilogue::BiasRows),
            second_result: None,
        };
        if cx.variant() != "im2col" {
            return gemm.lower(cx, weight, input, output);
        }
        let elements = self.groups * k * n;
        cx.index(elements)?;
        let columns = cx.temporary(elements);
        let unroll = geometry.kernel(cx, &[&IM2COL])?;
        cx.dispatch(unroll, &[input, columns.clone()], elements.div_ceil(64));
        gemm.body = if cx.caps().kind == AdapterKind::Software { Body::Register } else { Body::Tiled };
        gemm.rhs = rhs(false, cx.index(k)?, cx.index(n)?);
        gemm.common = None;
        gemm.lower(cx, weight, columns, output)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::conv2d(self, inputs[0], inputs[1], inputs.get(2).copied())]
    }

    fn multiply_adds(&self, inputs: &[&TensorType]) -> u64 {
        self.geometry(&inputs[0].shape, &inputs[1].shape).map_or(0, |g| g.multiply_adds())
    }
}

impl Graph {
    /// Convolution (cross-correlation) of `input` (N, C, H, W) by `weight` (out, C / groups, kh, kw)
    /// plus `bias` (out), as PyTorch's `conv2d`.
    ///
    /// # Errors
    /// Channels, groups or bias that do not fit; a kernel larger than the padded input.
    pub fn conv2d(
        &mut self,
        input: Value,
        weight: Value,
        bias: Option<Value>,
        attributes: Conv2d,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [input, weight].into_iter().chain(bias).collect();
        self.apply1(attributes, &inputs)
    }
}
