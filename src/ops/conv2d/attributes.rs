//! Padding, and the checks of a convolution's attributes. `options` has the attributes and their setters, `geometry`
//! computes sizes from them and from shapes.

use super::Conv2d;
use super::geometry::Geometry;
use crate::tensor::Shape;

/// Zeros around the input of a convolution with `N` axes, by number or by name.
///
/// Numbers convert to it: `usize` (one axis) or `[height, width]` pad both sides alike, and pairs pad each side by
/// its own amount (`[left, right]`, `[[top, bottom], [left, right]]`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Padding<const N: usize> {
    /// Before and after, of each axis.
    Sides([[usize; 2]; N]),
    /// None: every window lies within the input.
    Valid,
    /// Half of a window, rounded down, on both sides, with any stride. With a stride of one and odd
    /// windows the output is as large as the input.
    Half,
    /// Enough to make the output as large as the input. With windows of even size the odd zero comes after the input,
    /// as in PyTorch. The stride must be one.
    Same,
    /// The window's size minus one on both sides: every window that meets the input.
    Full,
}

impl<const N: usize> Default for Padding<N> {
    fn default() -> Self {
        Padding::Sides([[0; 2]; N])
    }
}

impl From<usize> for Padding<1> {
    fn from(both: usize) -> Self {
        Padding::Sides([[both; 2]])
    }
}

impl From<[usize; 2]> for Padding<1> {
    fn from(sides: [usize; 2]) -> Self {
        Padding::Sides([sides])
    }
}

impl From<[usize; 2]> for Padding<2> {
    fn from(axes: [usize; 2]) -> Self {
        Padding::Sides(axes.map(|both| [both; 2]))
    }
}

impl From<[[usize; 2]; 2]> for Padding<2> {
    fn from(sides: [[usize; 2]; 2]) -> Self {
        Padding::Sides(sides)
    }
}

impl Conv2d {
    /// Fails for attributes that are wrong for any shape.
    pub(super) fn check(&self) -> Result<(), String> {
        let Conv2d { stride, dilation, output_padding, groups, .. } = *self;
        if stride.contains(&0) {
            return Err(format!("non-positive stride is not supported, found stride {stride:?}"));
        }
        if dilation.contains(&0) {
            return Err(format!("dilation should be greater than zero, found dilation {dilation:?}"));
        }
        if groups == 0 {
            return Err("expected groups to be greater than 0, but got groups=0".into());
        }
        if self.padding == Padding::Same && stride != [1, 1] {
            return Err(format!(
                "padding='same' is not supported for strided convolutions, found stride {stride:?}; give the padding in numbers"
            ));
        }
        if (0..2).any(|axis| output_padding[axis] >= stride[axis].max(dilation[axis])) {
            return Err(format!(
                "output padding must be smaller than either stride or dilation, but got output_padding {output_padding:?}, stride {stride:?} and dilation {dilation:?}"
            ));
        }
        Ok(())
    }

    /// Zeros before and after each axis for a window of this size. Saturates.
    pub(crate) fn sides(&self, kernel: [usize; 2]) -> [[usize; 2]; 2] {
        [0, 1].map(|axis| {
            let reach = self.dilation[axis].saturating_mul(kernel[axis].saturating_sub(1));
            match self.padding {
                Padding::Sides(sides) => sides[axis],
                Padding::Valid => [0, 0],
                Padding::Half => [reach.div_ceil(2); 2],
                Padding::Same => [reach / 2, reach - reach / 2],
                Padding::Full => [reach; 2],
            }
        })
    }

    /// The sizes of a convolution of this input by this weight, checked.
    pub(super) fn geometry(&self, input: &Shape, weight: &Shape) -> Result<Geometry, String> {
        if input.len() != 4 || weight.len() != 4 {
            return Err(format!(
                "input must be (images, channels, height, width) and weight (out, in, height, width), found {input} and {weight}"
            ));
        }
        self.check()?;
        let groups = self.groups;
        for (what, channels) in [("in_channels", input[1]), ("out_channels", weight[0])] {
            if !channels.is_multiple_of(groups) {
                return Err(format!("{what} must be divisible by groups, found {channels} and {groups}"));
            }
        }
        if weight[1].checked_mul(groups) != Some(input[1]) {
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
        if kernel.contains(&0) {
            return Err(format!("kernel size should be greater than zero, found {kernel:?}"));
        }
        let sides = self.sides(kernel);
        let mut geometry = Geometry {
            groups,
            stride: self.stride,
            dilation: self.dilation,
            padding: sides.map(|[before, _]| before),
            images: input[0],
            channels: weight[1],
            results: weight[0] / groups,
            size,
            kernel,
            output: [0; 2],
        };
        for axis in 0..2 {
            let along = ["height", "width"][axis];
            let whole = size[axis] as u128 + sides[axis][0] as u128 + sides[axis][1] as u128;
            let extent = self.dilation[axis] as u128 * (kernel[axis] - 1) as u128 + 1;
            // Kernels index with 31 bits.
            if whole > i32::MAX as u128 {
                return Err(format!(
                    "the padded input has {whole} along the {along}, at most {} are supported; input {size:?}, padding (before and after) {sides:?}",
                    i32::MAX
                ));
            }
            let padded = whole.saturating_sub(self.output_padding[axis] as u128);
            if extent > padded {
                return Err(format!(
                    "kernel size can't be greater than actual input size: the kernel covers {extent} along the {along} but the padded input has only {padded}; kernel {kernel:?}, dilation {:?}, input {size:?}, padding (before and after) {sides:?}",
                    self.dilation
                ));
            }
            geometry.output[axis] = ((padded - extent) / self.stride[axis] as u128 + 1) as usize;
            // With a single output or tap no step is ever taken, so kernels get steps of one.
            if geometry.output[axis] == 1 {
                geometry.stride[axis] = 1;
            }
            if kernel[axis] == 1 {
                geometry.dilation[axis] = 1;
            }
        }
        Ok(geometry)
    }
}
