//! The kernels of the weight's gradient that are no matrix product.

use super::geometry::Geometry;
use crate::error::Result;
use crate::plan::{AdapterKind, Lower, Operand};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;

static GROUP: ShaderFile = shader_file!("shared/group");
static CHANNELS_LAST: ShaderFile = shader_file!("channels_last");
static DIRECT: ShaderFile = shader_file!("conv2d_grad_weight_direct");
static SUM: ShaderFile = shader_file!("conv2d_grad_weight_sum");
static DEPTHWISE: ShaderFile = shader_file!("conv2d_depthwise_grad_weight");

/// Taps of a window's row that one invocation of the sliding-window kernel makes at most.
const MOST_TAPS: usize = 5;

/// Taps that one workgroup of the depthwise kernel makes at most: its sums lie in workgroup memory.
const MOST_DEPTHWISE_TAPS: usize = 32;

/// Elements of an input's row that an invocation of the depthwise kernel holds at most.
const MOST_SPAN: usize = 128;

impl Geometry {
    /// Records the sliding-window kernel: both operands packed, partial sums over images, and their
    /// sum.
    pub fn lower_grad_weight_direct(
        &self,
        cx: &mut Lower<'_>,
        gradient: Operand,
        input: Operand,
        result: Operand,
    ) -> Result<()> {
        let groups = self.groups;
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
            .kernel(cx, &[&DIRECT])?
            .with("TAPS", cx.index(taps)?)
            .with("IMAGES_PER_SPLIT", cx.index(images_per_split)?);
        cx.dispatch(kernel, &[gradient, input, parts.clone()], (per_split * splits).div_ceil(32));
        cx.flops(2 * self.multiply_adds());
        let sum = self.kernel(cx, &[&SUM])?.with("SPLITS", cx.index(splits)?);
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
        let groups = self.groups;
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

    /// Records the kernel for groups of one input or one output channel: a workgroup for each pair of an
    /// output and an input channel.
    pub fn lower_grad_weight_depthwise(
        &self,
        cx: &mut Lower<'_>,
        gradient: Operand,
        input: Operand,
        result: Operand,
    ) -> Result<()> {
        let even = |size: usize, most: usize| size.div_ceil(size.div_ceil(most));
        // Wide dilation or stride makes rows long that taps and a tile meet.
        let most_w = ((MOST_SPAN / 2 - 1) / self.dilation[1] + 1).min(8);
        let taps_w = even(self.kernel[1], most_w);
        let taps_h = even(self.kernel[0], MOST_DEPTHWISE_TAPS / taps_w);
        let chunks = self.kernel[0].div_ceil(taps_h) * self.kernel[1].div_ceil(taps_w);
        let most_tile = if cx.caps().kind == AdapterKind::Software { 16 } else { 4 };
        let most_tile = most_tile.min((MOST_SPAN / 2 - 1) / self.stride[1] + 1);
        let kernel = self
            .kernel(cx, &[&DEPTHWISE])?
            .with("TAPS_H", cx.index(taps_h)?)
            .with("TAPS_W", cx.index(taps_w)?)
            .with("TILE_W", cx.index(even(self.output[1], most_tile))?);
        let pairs = self.groups * self.results * self.channels;
        cx.dispatch(kernel, &[gradient, input, result], pairs * chunks);
        cx.flops(2 * self.multiply_adds());
        Ok(())
    }
}
