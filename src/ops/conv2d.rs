//! Two-dimensional convolution (cross-correlation): output, gradient of input, of weight, of bias.
//!
//! Stride, padding, dilation and groups are attributes of one family: each pass is a matrix product
//! whose operands are gathered on the way (`gemm`, `register`), a product with a materialised
//! matrix (`im2col`), or a sliding window (`direct`).

use super::gemm::{Body, Epilogue, Gemm, Part};
use super::matmul::{lhs, require_f32, rhs, store};
use super::{Operator, sum};
use crate::error::Result;
use crate::graph::{Backward, Graph, Value};
use crate::plan::{AdapterKind, Caps, Lower, Operand};
use crate::reference::{Array, conv2d as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{Shape, TensorType};

static GROUP: ShaderFile = shader_file!("shared/group");
static SHAPE: ShaderFile = shader_file!("shared/conv2d_shape");
static EPILOGUE_NONE: ShaderFile = shader_file!("shared/epilogue_none");
static EPILOGUE_BIAS_ROWS: ShaderFile = shader_file!("shared/epilogue_bias_rows");
static INPUT_COLUMNS: ShaderFile = shader_file!("conv2d_input_columns");
static INPUT_ROWS: ShaderFile = shader_file!("conv2d_input_rows");
static GRADIENT_COLUMNS: ShaderFile = shader_file!("conv2d_gradient_columns");
static GRADIENT_ROWS: ShaderFile = shader_file!("conv2d_gradient_rows");
static GRADIENT_ROWS_VEC4: ShaderFile = shader_file!("conv2d_gradient_rows_vec4");
static WEIGHT_BY_INPUT: ShaderFile = shader_file!("conv2d_weight_by_input");
static STORE: ShaderFile = shader_file!("conv2d_store");
static STORE_VEC4: ShaderFile = shader_file!("conv2d_store_vec4");
static IM2COL: ShaderFile = shader_file!("conv2d_im2col");
static PACK: ShaderFile = shader_file!("conv2d_pack");
static CHANNELS_LAST: ShaderFile = shader_file!("channels_last");
static GRAD_WEIGHT_DIRECT: ShaderFile = shader_file!("conv2d_grad_weight_direct");
static GRAD_WEIGHT_SUM: ShaderFile = shader_file!("conv2d_grad_weight_sum");
static DIRECT: ShaderFile = shader_file!("conv2d_direct");

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

/// All sizes of a convolution. `channels` and `results` count one group's inputs and outputs.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    attributes: Conv2d,
    images: usize,
    channels: usize,
    results: usize,
    size: [usize; 2],
    kernel: [usize; 2],
    output: [usize; 2],
}

impl Geometry {
    fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    fn input_shape(&self) -> Shape {
        Shape::from([self.images, self.channels * self.attributes.groups, self.size[0], self.size[1]])
    }

    fn weight_shape(&self) -> Shape {
        Shape::from([self.results * self.attributes.groups, self.channels, self.kernel[0], self.kernel[1]])
    }

    fn output_shape(&self) -> Shape {
        Shape::from([self.images, self.results * self.attributes.groups, self.output[0], self.output[1]])
    }

    fn flops(&self) -> u64 {
        let outputs = self.images * self.results * self.attributes.groups * self.pixels();
        2 * (outputs * self.channels * self.taps()) as u64
    }

    /// The convolution whose output is this one's input gradient. Only for stride 1.
    fn transposed(&self) -> Geometry {
        Geometry {
            channels: self.results,
            results: self.channels,
            size: self.output,
            output: self.size,
            ..*self
        }
    }

    /// Padding before the first element; `transposed` says that this is a [`Geometry::transposed`].
    fn padding(&self, transposed: bool) -> [i32; 2] {
        [0, 1].map(|axis| {
            let padding = self.attributes.padding[axis] as i32;
            let reach = (self.attributes.dilation[axis] * (self.kernel[axis] - 1)) as i32;
            if transposed { reach - padding } else { padding }
        })
    }

    /// Constants of `shared/conv2d_shape`.
    fn constants(&self, cx: &Lower<'_>, transposed: bool) -> Result<Part> {
        let Conv2d { stride, dilation, groups, .. } = self.attributes;
        let padding = self.padding(transposed);
        Ok(Part::new(&SHAPE)
            .with("IMAGES", cx.index(self.images)?)
            .with("GROUPS", cx.index(groups)?)
            .with("IN", cx.index(self.channels)?)
            .with("OUT", cx.index(self.results)?)
            .with("H", cx.index(self.size[0])?)
            .with("W", cx.index(self.size[1])?)
            .with("OH", cx.index(self.output[0])?)
            .with("OW", cx.index(self.output[1])?)
            .with("KH", cx.index(self.kernel[0])?)
            .with("KW", cx.index(self.kernel[1])?)
            .with("SH", cx.index(stride[0])?)
            .with("SW", cx.index(stride[1])?)
            .with("PH", padding[0])
            .with("PW", padding[1])
            .with("DH", cx.index(dilation[0])?)
            .with("DW", cx.index(dilation[1])?))
    }

    fn kernel(&self, cx: &Lower<'_>, transposed: bool, files: &[&'static ShaderFile]) -> Result<Kernel> {
        let mut all = vec![&GROUP];
        let shape = self.constants(cx, transposed)?;
        all.extend(shape.files());
        all.extend(files);
        Ok(shape.set(Kernel::new(&all)))
    }

    /// Records the sliding-window kernel, after packing the weights for it.
    fn lower_direct(
        &self,
        cx: &mut Lower<'_>,
        transposed: bool,
        weight: Operand,
        input: Operand,
        result: Operand,
        bias: Option<Operand>,
    ) -> Result<()> {
        let groups = self.attributes.groups;
        let blocks = self.results.div_ceil(8);
        let vectors = groups * self.channels * self.taps() * 2 * blocks;
        let packed = cx.temporary(4 * vectors);
        let pack = self
            .kernel(cx, transposed, &[&PACK])?
            .with("FLIP", transposed)
            .with("RESULT_BLOCKS", cx.index(2 * blocks)?);
        cx.dispatch(pack, &[weight, packed.clone()], vectors.div_ceil(64));
        let tiles = self.output[1].div_ceil(MOST_TILE_W);
        let tile = self.output[1].div_ceil(tiles);
        let epilogue = if bias.is_some() { &EPILOGUE_BIAS_ROWS } else { &EPILOGUE_NONE };
        let kernel = self.kernel(cx, transposed, &[epilogue, &DIRECT])?.with("TILE_W", cx.index(tile)?);
        let invocations = self.images * groups * blocks * self.output[0] * self.output[1].div_ceil(tile);
        let mut operands = vec![packed, input, result];
        operands.extend(bias);
        cx.dispatch(kernel, &operands, invocations.div_ceil(32));
        cx.flops(self.flops());
        Ok(())
    }
}

impl Geometry {
    /// Records the sliding-window kernel of the weight's gradient: both operands packed, partial
    /// sums over images, and their sum.
    fn lower_grad_weight_direct(
        &self,
        cx: &mut Lower<'_>,
        gradient: Operand,
        input: Operand,
        result: Operand,
    ) -> Result<()> {
        let groups = self.attributes.groups;
        let (result_blocks, channel_blocks) = (self.results.div_ceil(8) * 2, self.channels.div_ceil(4));
        let gradient = self.pack(cx, gradient, self.results, result_blocks, self.pixels())?;
        let input = self.pack(cx, input, self.channels, channel_blocks, self.size[0] * self.size[1])?;
        let chunks = self.kernel[1].div_ceil(MOST_TAPS);
        let taps = self.kernel[1].div_ceil(chunks);
        let chunks = self.kernel[1].div_ceil(taps);
        let per_split = result_blocks / 2 * chunks * self.kernel[0] * channel_blocks * groups;
        let wanted = if cx.caps().kind == AdapterKind::Software { 1024 } else { 16384 };
        let splits = (wanted / per_split).clamp(1, self.images);
        let images_per_split = self.images.div_ceil(splits);
        let splits = self.images.div_ceil(images_per_split);
        let vectors = groups * self.channels * self.taps() * result_blocks;
        cx.index(4 * splits * vectors)?;
        let parts = cx.temporary(4 * splits * vectors);
        let kernel = self
            .kernel(cx, false, &[&GRAD_WEIGHT_DIRECT])?
            .with("TAPS", cx.index(taps)?)
            .with("IMAGES_PER_SPLIT", cx.index(images_per_split)?);
        cx.dispatch(kernel, &[gradient, input, parts.clone()], (per_split * splits).div_ceil(32));
        cx.flops(self.flops());
        let sum = self.kernel(cx, false, &[&GRAD_WEIGHT_SUM])?.with("SPLITS", cx.index(splits)?);
        cx.dispatch(sum, &[parts, result], vectors.div_ceil(64));
        Ok(())
    }

    /// Records a copy of an (image, channel, pixel) tensor with four channels of a pixel together.
    fn pack(
        &self,
        cx: &mut Lower<'_>,
        source: Operand,
        channels: usize,
        blocks: usize,
        pixels: usize,
    ) -> Result<Operand> {
        let groups = self.attributes.groups;
        let vectors = self.images * groups * blocks * pixels;
        cx.index(4 * vectors)?;
        let packed = cx.temporary(4 * vectors);
        let kernel = Kernel::new(&[&GROUP, &CHANNELS_LAST])
            .with("IMAGES", cx.index(self.images)?)
            .with("GROUPS", cx.index(groups)?)
            .with("CHANNELS", cx.index(channels)?)
            .with("BLOCKS", cx.index(blocks)?)
            .with("PIXELS", cx.index(pixels)?);
        cx.dispatch(kernel, &[source, packed.clone()], vectors.div_ceil(64));
        Ok(packed)
    }
}

/// Taps of a window's row that one invocation of the weight's gradient makes at most.
const MOST_TAPS: usize = 5;

/// Columns of the output that one invocation of the sliding-window kernel makes at most.
const MOST_TILE_W: usize = 16;

/// Stores into planes of `pixels`.
fn plane_store(pixels: usize, cx: &Lower<'_>) -> Result<Part> {
    let file = if pixels.is_multiple_of(4) { &STORE_VEC4 } else { &STORE };
    Ok(Part::new(file).with("PIXELS", cx.index(pixels)?))
}

fn gemm_body(variant: &str) -> Body {
    if variant == "register" { Body::Register } else { Body::Tiled }
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

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        vec!["gemm", "direct", "register", "im2col"]
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let geometry = self
            .geometry(&cx.input_type(0).shape, &cx.input_type(1).shape)
            .expect("the graph has checked the shapes");
        let (input, weight, output) = (cx.input(0), cx.input(1), cx.output(0));
        let bias = (cx.inputs() > 2).then(|| cx.input(2));
        if cx.variant() == "direct" {
            return geometry.lower_direct(cx, false, weight, input, output, bias);
        }
        let m = geometry.results;
        let k = geometry.channels * geometry.taps();
        let n = geometry.images * geometry.pixels();
        let mut gemm = Gemm {
            body: gemm_body(cx.variant()),
            m,
            n,
            k,
            batches: self.groups,
            lhs: lhs(false, cx.index(m)?, cx.index(k)?),
            rhs: Part::new(&INPUT_COLUMNS),
            store: plane_store(geometry.pixels(), cx)?,
            common: Some(geometry.constants(cx, false)?),
            epilogue: bias.map_or(Epilogue::None, Epilogue::BiasRows),
        };
        if cx.variant() != "im2col" {
            return gemm.lower(cx, weight, input, output);
        }
        let elements = self.groups * k * n;
        cx.index(elements)?;
        let columns = cx.temporary(elements);
        let unroll = geometry.kernel(cx, false, &[&IM2COL])?;
        cx.dispatch(unroll, &[input, columns.clone()], elements.div_ceil(64));
        gemm.body = if cx.caps().kind == AdapterKind::Software { Body::Register } else { Body::Tiled };
        gemm.rhs = rhs(false, cx.index(k)?, cx.index(n)?);
        gemm.common = None;
        gemm.lower(cx, weight, columns, output)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::conv2d(self, inputs[0], inputs[1], inputs.get(2).copied())]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        self.geometry(&inputs[0].shape, &inputs[1].shape).map_or(0, |g| g.flops())
    }
}

/// Gradient of a convolution's input, from the output's gradient and the weight.
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dGradInput {
    /// The convolution's attributes.
    pub attributes: Conv2d,
    /// Shape of the input.
    pub input: Shape,
}

impl Operator for Conv2dGradInput {
    fn name(&self) -> &'static str {
        "conv2d_grad_input"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        require_f32(inputs)?;
        let geometry = self.attributes.geometry(&self.input, &inputs[1].shape)?;
        expect_shape("the output's gradient", &inputs[0].shape, &geometry.output_shape())?;
        Ok(vec![TensorType::f32(self.input.clone())])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        // Linear in both operands: the forward pass undoes one, the weight's gradient the other.
        let gradient = cx.output_gradient(0)?;
        let (output_gradient, weight) = (cx.input(0), cx.input(1));
        if cx.wants(0) {
            let value = cx.apply1(self.attributes, &[gradient, weight])?;
            cx.set(0, value);
        }
        if cx.wants(1) {
            let operator = Conv2dGradWeight { attributes: self.attributes, weight: cx.shape(weight) };
            let value = cx.apply1(operator, &[output_gradient, gradient])?;
            cx.set(1, value);
        }
        Ok(())
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        if self.attributes.stride == [1, 1] {
            vec!["gemm", "direct", "register"]
        } else {
            vec!["gemm", "register"]
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let geometry = self
            .attributes
            .geometry(&self.input, &cx.input_type(1).shape)
            .expect("the graph has checked the shapes");
        let (gradient, weight, result) = (cx.input(0), cx.input(1), cx.output(0));
        if cx.variant() == "direct" {
            return geometry.transposed().lower_direct(cx, true, weight, gradient, result, None);
        }
        let plane = geometry.size[0] * geometry.size[1];
        let gemm = Gemm {
            body: gemm_body(cx.variant()),
            m: geometry.channels,
            n: geometry.images * plane,
            k: geometry.results * geometry.taps(),
            batches: self.attributes.groups,
            lhs: Part::new(&WEIGHT_BY_INPUT),
            rhs: Part::new(&GRADIENT_COLUMNS),
            store: plane_store(plane, cx)?,
            common: Some(geometry.constants(cx, false)?),
            epilogue: Epilogue::None,
        };
        gemm.lower(cx, weight, gradient, result)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::grad_input(&self.attributes, &self.input, inputs[0], inputs[1])]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        self.attributes.geometry(&self.input, &inputs[1].shape).map_or(0, |g| g.flops())
    }
}

/// Gradient of a convolution's weight, from the output's gradient and the input.
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dGradWeight {
    /// The convolution's attributes.
    pub attributes: Conv2d,
    /// Shape of the weight.
    pub weight: Shape,
}

impl Operator for Conv2dGradWeight {
    fn name(&self) -> &'static str {
        "conv2d_grad_weight"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        require_f32(inputs)?;
        let geometry = self.attributes.geometry(&inputs[1].shape, &self.weight)?;
        expect_shape("the output's gradient", &inputs[0].shape, &geometry.output_shape())?;
        expect_shape("the input", &inputs[1].shape, &geometry.input_shape())?;
        Ok(vec![TensorType::f32(geometry.weight_shape())])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let (output_gradient, input) = (cx.input(0), cx.input(1));
        if cx.wants(0) {
            let value = cx.apply1(self.attributes, &[input, gradient])?;
            cx.set(0, value);
        }
        if cx.wants(1) {
            let operator = Conv2dGradInput { attributes: self.attributes, input: cx.shape(input) };
            let value = cx.apply1(operator, &[output_gradient, gradient])?;
            cx.set(1, value);
        }
        Ok(())
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        vec!["gemm", "direct", "register"]
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let geometry = self
            .attributes
            .geometry(&cx.input_type(1).shape, &self.weight)
            .expect("the graph has checked the shapes");
        let (gradient, input, result) = (cx.input(0), cx.input(1), cx.output(0));
        if cx.variant() == "direct" {
            return geometry.lower_grad_weight_direct(cx, gradient, input, result);
        }
        let n = geometry.channels * geometry.taps();
        let vec4 = geometry.pixels().is_multiple_of(4);
        let gemm = Gemm {
            body: gemm_body(cx.variant()),
            m: geometry.results,
            n,
            k: geometry.images * geometry.pixels(),
            batches: self.attributes.groups,
            lhs: Part::new(if vec4 { &GRADIENT_ROWS_VEC4 } else { &GRADIENT_ROWS }),
            rhs: Part::new(&INPUT_ROWS),
            store: store(cx.index(n)?),
            common: Some(geometry.constants(cx, false)?),
            epilogue: Epilogue::None,
        };
        gemm.lower(cx, gradient, input, result)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::grad_weight(&self.attributes, &self.weight, inputs[0], inputs[1])]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        self.attributes.geometry(&inputs[1].shape, &self.weight).map_or(0, |g| g.flops())
    }
}

/// Gradient of a convolution's bias: the output's gradient summed over images and pixels.
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dGradBias;

impl Operator for Conv2dGradBias {
    fn name(&self) -> &'static str {
        "conv2d_grad_bias"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        require_f32(inputs)?;
        let shape = &inputs[0].shape;
        if shape.len() != 4 {
            return Err(format!("the output's gradient must have four dimensions, found {shape}"));
        }
        Ok(vec![TensorType::f32([shape[1]])])
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        let from = &inputs[0].shape;
        sum::variants(from, &Shape::from([from[1], 1, 1]))
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let from = cx.input_type(0).shape.clone();
        sum::lower(cx, &from, &Shape::from([from[1], 1, 1]))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::grad_bias(inputs[0])]
    }

    fn largest_sum_of_terms(&self, inputs: &[&Array]) -> Option<f64> {
        Some(reference::grad_bias(&inputs[0].map(f64::abs)).largest())
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}

fn expect_shape(what: &str, found: &Shape, expected: &Shape) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} must be {expected}, found {found}")) }
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
