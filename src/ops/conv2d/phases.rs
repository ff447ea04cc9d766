//! The gradient of a strided convolution's input as one matrix product per phase. See
//! `shaders/parts/conv2d/conv2d_phase.wgsl`.

use super::geometry::{Geometry, greatest_common_divisor};
use crate::error::Result;
use crate::op::{LowerContext, Operand};
use crate::ops::gemm::{Bias, Gemm, Loader, Size, Store, Tiling};
use crate::shader::parts;

/// Sizes that the phases of one axis share.
struct Axis {
    /// Inputs of a phase.
    size: usize,
    /// The most taps of a phase.
    taps: usize,
    common: usize,
    step: usize,
    inverse: usize,
}

impl Axis {
    fn of(geometry: &Geometry, axis: usize) -> Axis {
        let (stride, dilation) = (geometry.stride[axis], geometry.dilation[axis]);
        let common = greatest_common_divisor(stride, dilation);
        let step = stride / common;
        // The tap that meets (h + padding) / common = 1.
        let inverse = (0..step).find(|tap| tap * (dilation / common) % step == 1 % step).unwrap_or(0);
        Axis {
            size: geometry.size[axis].div_ceil(stride),
            taps: geometry.kernel[axis].div_ceil(step),
            common,
            step,
            inverse,
        }
    }
}

/// The longest stride that has phases: the kernels multiply two numbers below it.
const LONGEST: usize = 1 << 16;

impl Geometry {
    /// Whether the input's gradient is a product per phase: if windows are more than one step apart.
    pub(super) fn has_phases(&self) -> bool {
        self.stride != [1, 1] && self.stride.iter().all(|&stride| stride <= LONGEST)
    }

    /// The input's gradient as a product of the weight and the unrolled gradient, for each group, and for each phase
    /// if it has them.
    pub(super) fn grad_input_product(&self) -> Size {
        if !self.has_phases() {
            let n = self.images * self.size[0] * self.size[1];
            return Size { m: self.channels, n, k: self.results * self.taps(), batches: self.groups };
        }
        let (h, w) = (Axis::of(self, 0), Axis::of(self, 1));
        let [phases_h, phases_w] = self.phases();
        Size {
            m: self.channels,
            n: self.images * h.size * w.size,
            k: self.results * h.taps * w.taps,
            batches: self.groups * phases_h * phases_w,
        }
    }

    /// Phases of each axis. With a stride longer than the input, only some have any input.
    fn phases(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.stride[axis].min(self.size[axis]))
    }

    /// Records the products of all phases, in one dispatch, or two if the sum is split.
    pub(super) fn lower_grad_input_phases(
        &self,
        cx: &mut LowerContext<'_>,
        weight: Operand,
        gradient: Operand,
        result: Operand,
    ) -> Result<()> {
        let (h, w) = (Axis::of(self, 0), Axis::of(self, 1));
        let [_, phases_w] = self.phases();
        let shape = self
            .constants(cx)?
            .used_by(&parts::conv2d_phase)
            .with("PHASES_W", cx.index(phases_w)?)
            .with("PHASE_H", cx.index(h.size)?)
            .with("PHASE_W", cx.index(w.size)?)
            .with("TAPS_H", cx.index(h.taps)?)
            .with("TAPS_W", cx.index(w.taps)?)
            .with("COMMON_H", cx.index(h.common)?)
            .with("COMMON_W", cx.index(w.common)?)
            .with("STEP_H", cx.index(h.step)?)
            .with("STEP_W", cx.index(w.step)?)
            .with("INVERSE_H", cx.index(h.inverse)?)
            .with("INVERSE_W", cx.index(w.inverse)?);
        let gemm = Gemm {
            body: Tiling::of(cx.variant()),
            size: self.grad_input_product(),
            lhs: Loader::new(&parts::conv2d_phase_weight),
            rhs: Loader::new(&parts::conv2d_phase_columns),
            store: Store { part: Loader::new(&parts::conv2d_phase_store), width: 1 },
            common: Some(shape),
            bias: Bias::None,
            second_result: None,
        };
        gemm.lower(cx, weight, gradient, result)
    }
}
