//! The kernel that moves elements without computing with them: for slices and their gradients, flips, permutations
//! and padding. Those operators have files of their own; they describe a copy in the terms of this one.

use super::elementwise::RANK;
use crate::error::Result;
use crate::op::occupancy::ITEMS;
use crate::op::{LowerContext, Variant};
use crate::ops::checks;
use crate::shader::{Kernel, ShaderFile, kernels, parts};
use crate::tensor::{Shape, TensorType};

pub(super) const VEC4: Variant = Variant::new("vec4");
pub(super) const SCALAR: Variant = Variant::new("scalar");
pub(super) const TILED: Variant = Variant::new("tiled");

/// One dimension of the result. Its coordinate `c` reads `t = start + c * step`; if `spread` divides `t`, that is
/// coordinate `t / spread` of the source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// Size of the result.
    pub size: usize,
    pub start: i64,
    pub step: i64,
    pub spread: usize,
    /// Size of the source.
    pub extent: usize,
    /// Elements from one coordinate of the source to the next.
    pub stride: usize,
}

impl Axis {
    /// A dimension that is copied as it is.
    pub(super) fn whole(size: usize, stride: usize) -> Axis {
        Axis { size, start: 0, step: 1, spread: 1, extent: size, stride }
    }

    fn is_whole(&self) -> bool {
        self.start == 0 && self.size == self.extent && self.is_run()
    }

    /// Whether neighbours in the result are neighbours in the source.
    fn is_run(&self) -> bool {
        self.step == 1 && self.spread == 1
    }
}

/// The contents of results that lie outside the source.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Border {
    /// A number.
    Fill(f32),
    /// The source mirrored at its outermost elements.
    Reflect,
    /// The source's outermost elements.
    Replicate,
    /// The source's other end.
    Circular,
}

impl Border {
    pub(super) fn file(self) -> &'static ShaderFile {
        match self {
            Border::Fill(_) => &parts::border_fill,
            Border::Reflect => &parts::border_reflect,
            Border::Replicate => &parts::border_replicate,
            Border::Circular => &parts::border_circular,
        }
    }
}

/// A copy: which element of the source every element of the result is.
#[derive(Clone, Debug)]
pub(super) struct StridedCopy {
    /// The result's dimensions, outermost first.
    axes: Vec<Axis>,
    border: Border,
}

impl StridedCopy {
    /// A copy, reduced to as few dimensions as possible.
    pub(super) fn new(axes: impl IntoIterator<Item = Axis>, border: Border) -> StridedCopy {
        let mut merged: Vec<Axis> = Vec::new();
        for inner in axes {
            if inner.size == 1 && inner.is_whole() {
                continue;
            }
            let last = merged.last_mut().filter(|outer| {
                outer.is_run()
                    && inner.is_whole()
                    && outer.stride == inner.stride.saturating_mul(inner.extent)
                    && (outer.is_whole() || matches!(border, Border::Fill(_)))
            });
            match last {
                Some(outer) => {
                    outer.size *= inner.size;
                    outer.start *= inner.size as i64;
                    outer.extent *= inner.extent;
                    outer.stride = inner.stride;
                }
                None => merged.push(inner),
            }
        }
        StridedCopy { axes: merged, border }
    }

    /// The same copy in elements of four, if it moves whole ones.
    fn packed(&self) -> Option<StridedCopy> {
        let mut packed = self.clone();
        let (inner, outer) = packed.axes.split_last_mut()?;
        let filled = inner.is_run() && matches!(self.border, Border::Fill(_));
        let fours = inner.size.is_multiple_of(4) && inner.extent.is_multiple_of(4) && inner.start % 4 == 0;
        if !(inner.stride == 1 && fours && (filled || inner.is_whole())) {
            return None;
        }
        (inner.size, inner.extent, inner.start) = (inner.size / 4, inner.extent / 4, inner.start / 4);
        for axis in outer {
            if !axis.stride.is_multiple_of(4) {
                return None;
            }
            axis.stride /= 4;
        }
        Some(packed)
    }

    /// The dimension of the result along which the source's elements are neighbours, if it is not the last one and
    /// all dimensions are copied whole. Neighbours in the source are then not neighbours in the result.
    fn crossing(&self) -> Option<usize> {
        let (last, outer) = self.axes.split_last()?;
        let crosses = last.stride != 1 && self.axes.iter().all(Axis::is_whole);
        outer.iter().position(|axis| axis.stride == 1).filter(|_| crosses)
    }

    /// The variants that can make this copy.
    pub(super) fn variants(&self) -> Vec<Variant> {
        if self.packed().is_some() {
            vec![VEC4, SCALAR]
        } else if self.crossing().is_some() {
            vec![TILED, SCALAR]
        } else {
            vec![SCALAR]
        }
    }

    /// Records the copy of the first input to the first output.
    pub(super) fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        if let (Some(a), TILED) = (self.crossing(), cx.variant()) {
            return self.lower_tiled(cx, a);
        }
        let packed = self.packed().filter(|_| cx.variant() == VEC4);
        let width = if packed.is_some() { 4 } else { 1 };
        let copy = packed.as_ref().unwrap_or(self);
        let elements = copy.axes.iter().map(|axis| axis.size).product::<usize>();
        let fill = if let Border::Fill(number) = copy.border { number } else { 0.0 };
        let (kernel, groups) = cx.made_by(&parts::strided_copy, elements, ITEMS)?;
        let mut axes = [Axis::whole(1, 0); RANK];
        axes[RANK - copy.axes.len()..].copy_from_slice(&copy.axes);
        let kernel = kernel
            .fill(copy.border.file())
            .with("FILL", fill.to_bits())
            .with("SIZE", each(&axes, |axis| cx.index(axis.size))?)
            .with("START", each(&axes, |axis| signed(cx, axis.start))?)
            .with("STEP", each(&axes, |axis| signed(cx, if axis.size == 1 { 0 } else { axis.step }))?)
            .with("SPREAD", each(&axes, |axis| cx.index(axis.spread))?)
            .with("EXTENT", each(&axes, |axis| signed(cx, axis.extent as i64))?)
            .with("STRIDE", each(&axes, |axis| cx.index(axis.stride))?);
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch_epilogue(kernel, &operands, groups, width);
        Ok(())
    }
}

/// Side of a square tile.
const TILE: usize = 32;

impl StridedCopy {
    /// Records the copy by tiles of the last dimension and of dimension `a`, along which the source's elements are
    /// neighbours.
    fn lower_tiled(&self, cx: &mut LowerContext<'_>, a: usize) -> Result<()> {
        let results = strides(&self.axes.iter().map(|axis| axis.size).collect::<Vec<_>>().into());
        let last = self.axes.len() - 1;
        let mut tiles = self.axes[a].size.div_ceil(TILE) * self.axes[last].size.div_ceil(TILE);
        let mut kernel = Kernel::new(&kernels::permute_tiled)
            .with("SIZE_A", cx.index(self.axes[a].size)?)
            .with("SIZE_L", cx.index(self.axes[last].size)?)
            .with("RESULT_A", cx.index(results[a])?)
            .with("SOURCE_L", cx.index(self.axes[last].stride)?);
        let others: Vec<usize> = (0..last).filter(|&d| d != a).collect();
        for (place, &d) in (0..OTHERS).rev().zip(others.iter().rev()) {
            let axis = self.axes[d];
            // The rest is the outermost coordinate.
            if place > 0 {
                kernel = kernel.with(SIZES[place], cx.index(axis.size)?);
            }
            kernel =
                kernel.with(RESULT[place], cx.index(results[d])?).with(SOURCE[place], cx.index(axis.stride)?);
            tiles *= axis.size;
        }
        let kernel = kernel.with("TILES", cx.index(tiles)?).iterations(8).epilogue_calls(4);
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch_epilogue(kernel, &operands, tiles, 1);
        Ok(())
    }
}

/// Dimensions in addition to the two of a tile.
const OTHERS: usize = RANK - 2;

const RESULT: [&str; OTHERS] = ["RESULT_0", "RESULT_1", "RESULT_2", "RESULT_3"];
const SOURCE: [&str; OTHERS] = ["SOURCE_0", "SOURCE_1", "SOURCE_2", "SOURCE_3"];
const SIZES: [&str; OTHERS] = ["", "SIZE_1", "SIZE_2", "SIZE_3"];

/// What a kernel's constants say of each dimension.
pub(super) fn each<T, N: Copy + Default>(
    axes: &[T; RANK],
    number: impl Fn(&T) -> Result<N>,
) -> Result<[N; RANK]> {
    let mut numbers = [N::default(); RANK];
    for (slot, axis) in numbers.iter_mut().zip(axes) {
        *slot = number(axis)?;
    }
    Ok(numbers)
}

/// A number as the 32 bits of a kernel's signed constants.
pub(super) fn signed(cx: &LowerContext<'_>, number: i64) -> Result<i32> {
    let magnitude = cx.index(usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX))? as i32;
    Ok(if number < 0 { -magnitude } else { magnitude })
}

/// Row-major strides, in elements.
pub(super) fn strides(shape: &Shape) -> Vec<usize> {
    (0..shape.len()).map(|d| shape[d + 1..].iter().product()).collect()
}

/// Fails for inputs that the kernel can't move.
pub(super) fn check_input(input: &TensorType) -> Result<(), String> {
    checks::f32_input(input)?;
    if input.shape.len() > RANK {
        return Err(format!("expects at most {RANK} dimensions, found {}", input.shape));
    }
    Ok(())
}
