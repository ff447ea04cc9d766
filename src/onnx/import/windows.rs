//! Windows of convolutions and poolings: kernel, strides, dilations and padding, along one or two dimensions.

use super::Outcome;
use super::node::Node;
use crate::file::printable;

/// Windows along two dimensions; along one, the height is 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Elements before and after, of each dimension.
    pub pads: [[usize; 2]; 2],
}

/// How the padding is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AutoPad {
    NotSet,
    SameUpper,
    SameLower,
    Valid,
}

impl AutoPad {
    pub(super) fn of(node: &Node<'_, '_, '_>) -> Outcome<AutoPad> {
        Ok(match node.attributes.string("auto_pad", "NOTSET")? {
            "" | "NOTSET" => AutoPad::NotSet,
            "SAME_UPPER" => AutoPad::SameUpper,
            "SAME_LOWER" => AutoPad::SameLower,
            "VALID" => AutoPad::Valid,
            other => return Err(format!("auto_pad \"{}\" is not known", printable(other)).into()),
        })
    }

    /// Divides a padding among both sides; the odd element comes after, or before.
    pub(super) fn divided(self, total: usize) -> [usize; 2] {
        let (less, more) = (total / 2, total - total / 2);
        if self == AutoPad::SameLower { [more, less] } else { [less, more] }
    }
}

/// A list of sizes with one number for each of `axes` dimensions, as two dimensions.
pub(super) fn pair(node: &Node<'_, '_, '_>, name: &str, axes: usize, default: usize) -> Outcome<[usize; 2]> {
    let Some(list) = node.attributes.ints(name)? else {
        return Ok([if axes == 1 { 1 } else { default }, default]);
    };
    let size =
        |i: usize| usize::try_from(list[i]).map_err(|_| format!("{name} {list:?} has a negative number"));
    match (list.len(), axes) {
        (1, 1) => Ok([1, size(0)?]),
        (2, 2) => Ok([size(0)?, size(1)?]),
        _ => Err(format!("{name} {list:?} must have a number for each of {axes} dimensions").into()),
    }
}

impl Windows {
    /// The windows of a node whose input has this shape. `kernel` is the size that the weight says, if there is one.
    pub(super) fn of(node: &Node<'_, '_, '_>, input: &[usize], kernel: Option<&[usize]>) -> Outcome<Windows> {
        let axes = input.len().saturating_sub(2);
        if !(1..=2).contains(&axes) {
            return Err(format!(
                "expects an input (N, C, length) or (N, C, height, width), found {} dimensions",
                input.len()
            )
            .into());
        }
        let given = node.attributes.ints("kernel_shape")?;
        let kernel = match (given, kernel) {
            (_, Some(kernel)) => {
                if let Some(given) = given
                    && !given.iter().map(|&size| size as usize).eq(kernel.iter().copied())
                {
                    return Err(format!("kernel_shape {given:?} differs from the weight's {kernel:?}").into());
                }
                match *kernel {
                    [length] => [1, length],
                    [height, width] => [height, width],
                    _ => return Err(format!("a weight with windows {kernel:?} for {axes} dimensions").into()),
                }
            }
            (Some(_), None) => pair(node, "kernel_shape", axes, 1)?,
            (None, None) => return Err("kernel_shape is missing".into()),
        };
        let stride = pair(node, "strides", axes, 1)?;
        let dilation = pair(node, "dilations", axes, 1)?;
        for (name, sizes) in [("kernel_shape", kernel), ("strides", stride), ("dilations", dilation)] {
            if sizes.contains(&0) || sizes.iter().any(|&size| size > i32::MAX as usize / 8) {
                return Err(format!("{name} {sizes:?} is out of range").into());
            }
        }
        let mut windows = Windows { kernel, stride, dilation, pads: [[0; 2]; 2] };
        let size = planes(input);
        windows.pads = match AutoPad::of(node)? {
            AutoPad::NotSet => windows.given_pads(node, axes)?,
            AutoPad::Valid => [[0; 2]; 2],
            same => [0, 1].map(|d| {
                let outputs = size[d].div_ceil(windows.stride[d]);
                let needed = (outputs.saturating_sub(1) * windows.stride[d]).saturating_add(windows.reach(d));
                same.divided(needed.saturating_sub(size[d]))
            }),
        };
        Ok(windows)
    }

    fn given_pads(&self, node: &Node<'_, '_, '_>, axes: usize) -> Outcome<[[usize; 2]; 2]> {
        let Some(list) = node.attributes.ints("pads")? else { return Ok([[0; 2]; 2]) };
        let most = i64::from(i32::MAX) / 8;
        if list.len() != 2 * axes || list.iter().any(|pad| !(0..=most).contains(pad)) {
            return Err(format!(
                "pads {list:?} must have two numbers of at least 0 for each of {axes} dimensions"
            )
            .into());
        }
        let sides = |d: usize| [list[d] as usize, list[d + axes] as usize];
        Ok(if axes == 1 { [[0; 2], sides(0)] } else { [sides(0), sides(1)] })
    }

    /// Elements from the first tap of a window to the last.
    pub(super) fn reach(&self, d: usize) -> usize {
        (self.kernel[d] - 1).saturating_mul(self.dilation[d]).saturating_add(1)
    }

    /// The number of windows along both dimensions. A last window may reach past the padding if `ceil` is set; it then
    /// starts within the input or the padding before it.
    pub(super) fn outputs(&self, input: [usize; 2], ceil: bool) -> Outcome<[usize; 2]> {
        let mut outputs = [0; 2];
        for d in 0..2 {
            let [before, after] = self.pads[d];
            let (padded, reach, stride) = (input[d] + before + after, self.reach(d), self.stride[d]);
            let Some(rest) = padded.checked_sub(reach) else {
                return Err(format!(
                    "windows that reach over {reach} don't fit an input of {padded} with its padding"
                )
                .into());
            };
            outputs[d] = if ceil { rest.div_ceil(stride) } else { rest / stride } + 1;
            if ceil && (outputs[d] - 1) * stride >= input[d] + before {
                outputs[d] -= 1;
            }
        }
        Ok(outputs)
    }

    /// Elements to add behind the input so that so many windows fit exactly, beside those before it.
    pub(super) fn explicit(&self, input: [usize; 2], outputs: [usize; 2]) -> [[usize; 2]; 2] {
        [0, 1].map(|d| {
            let needed = (outputs[d] - 1) * self.stride[d] + self.reach(d);
            [self.pads[d][0], needed.saturating_sub(input[d] + self.pads[d][0])]
        })
    }

    /// For each window along a dimension how many of its taps lie in `from..to`, as positions in the padded input.
    pub(super) fn taps_within(&self, d: usize, outputs: usize, from: usize, to: usize) -> Vec<usize> {
        let taps = |o: usize| {
            let before = |end: usize| {
                end.saturating_sub(o * self.stride[d]).div_ceil(self.dilation[d]).min(self.kernel[d])
            };
            before(to) - before(from)
        };
        (0..outputs).map(taps).collect()
    }
}

/// Height and width of (N, C, H, W), or one and the length of (N, C, L).
pub(super) fn planes(shape: &[usize]) -> [usize; 2] {
    match *shape {
        [_, _, length] => [1, length],
        [_, _, height, width] => [height, width],
        _ => [1, 1],
    }
}
