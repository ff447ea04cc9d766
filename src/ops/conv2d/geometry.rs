//! Sizes of a convolution, and the kernels that several passes record.

use super::Conv2d;
use crate::error::Result;
use crate::ops::gemm::{Part, Store};
use crate::plan::{AdapterKind, Lower, Operand};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::Shape;

static GROUP: ShaderFile = shader_file!("shared/group");
static SHAPE: ShaderFile = shader_file!("shared/conv2d_shape");
static EPILOGUE_NONE: ShaderFile = shader_file!("shared/epilogue_none");
static EPILOGUE_BIAS_ROWS: ShaderFile = shader_file!("shared/epilogue_bias_rows");
static STORE: ShaderFile = shader_file!("conv2d_store");
static STORE_VEC4: ShaderFile = shader_file!("conv2d_store_vec4");
static PACK: ShaderFile = shader_file!("conv2d_pack");
static CHANNELS_LAST: ShaderFile = shader_file!("channels_last");
static GRAD_WEIGHT_DIRECT: ShaderFile = shader_file!("conv2d_grad_weight_direct");
static GRAD_WEIGHT_SUM: ShaderFile = shader_file!("conv2d_grad_weight_sum");
static DIRECT: ShaderFile = shader_file!("conv2d_direct");

/// All sizes of a convolution. `channels` and `results` count one group's inputs and outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub attributes: Conv2d,
    pub images: usize,
    pub channels: usize,
    pub results: usize,
    pub size: [usize; 2],
    pub kernel: [usize; 2],
    pub output: [usize; 2],
}

impl Geometry {
    pub fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    pub fn input_shape(&self) -> Shape {
        Shape::from([self.images, self.channels * self.attributes.groups, self.size[0], self.size[1]])
    }

    pub fn weight_shape(&self) -> Shape {
        Shape::from([self.results * self.attributes.groups, self.channels, self.kernel[0], self.kernel[1]])
    }

    pub fn output_shape(&self) -> Shape {
        Shape::from([self.images, self.results * self.attributes.groups, self.output[0], self.output[1]])
    }

    pub fn flops(&self) -> u64 {
        let outputs = self.images * self.results * self.attributes.groups * self.pixels();
        2 * (outputs * self.channels * self.taps()) as u64
    }

    /// The convolution whose output is this one's input gradient. Only for stride 1.
    pub fn transposed(&self) -> Geometry {
        Geometry {
            channels: self.results,
            results: self.channels,
            size: self.output,
            output: self.size,
            ..*self
        }
    }

    /// Padding before the first element; `transposed` says that this is a [`Geometry::transposed`].
    pub fn padding(&self, transposed: bool) -> [i32; 2] {
        [0, 1].map(|axis| {
            let padding = self.attributes.padding[axis] as i32;
            let reach = (self.attributes.dilation[axis] * (self.kernel[axis] - 1)) as i32;
            if transposed { reach - padding } else { padding }
        })
    }

    /// Constants of `shared/conv2d_shape`.
    pub fn constants(&self, cx: &Lower<'_>, transposed: bool) -> Result<Part> {
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

    pub fn kernel(&self, cx: &Lower<'_>, transposed: bool, files: &[&'static ShaderFile]) -> Result<Kernel> {
        let mut all = vec![&GROUP];
        let shape = self.constants(cx, transposed)?;
        all.extend(shape.files());
        all.extend(files);
        Ok(shape.set(Kernel::new(&all)))
    }

    /// Records the sliding-window kernel, after packing the weights for it.
    pub fn lower_direct(
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
        cx.dispatch_finished(kernel, &operands, invocations.div_ceil(32), 1);
        cx.flops(self.flops());
        Ok(())
    }
}

impl Geometry {
    /// Records the sliding-window kernel of the weight's gradient: both operands packed, partial
    /// sums over images, and their sum.
    pub fn lower_grad_weight_direct(
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
pub(super) fn plane_store(pixels: usize, cx: &Lower<'_>) -> Result<Store> {
    let (file, width) = if pixels.is_multiple_of(4) { (&STORE_VEC4, 4) } else { (&STORE, 1) };
    Ok(Store { part: Part::new(file).with("PIXELS", cx.index(pixels)?), width })
}
