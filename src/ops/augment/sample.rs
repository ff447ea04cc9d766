//! Images made by the parameters of each sample.

use super::{Augmentation, Border, ROW};
use crate::error::Result;
use crate::op::{BackwardContext, LowerContext, Operator};
use crate::shader::parts;
use crate::tensor::{DType, TensorType};

/// Images sampled, changed in colour, normalised and erased by the parameters of each. Inputs: images (N, C, H, W), f32 or
/// u8 (as byte / 255); parameters `[n, 16]`; for each channel its mean and the inverse of its deviation, `[2, c]`; with
/// contrast the mean of each image's grey values `[n]`. Output: f32 (N, C, OH, OW); grey values are `[n, OH * OW]`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Augment {
    /// What is done.
    pub augmentation: Augmentation,
    /// Whether the output is the grey values after brightness; contrast needs their mean.
    pub gray: bool,
    /// Whether the images are bytes, or floats.
    pub pixels: Pixels,
}

/// Element type of images.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pixels {
    /// Numbers as they are.
    Floats,
    /// Bytes, each over 255.
    Bytes,
}

impl Pixels {
    /// What a number is divided by.
    pub(crate) fn divisor(self) -> f64 {
        match self {
            Pixels::Floats => 1.0,
            Pixels::Bytes => 255.0,
        }
    }
}

impl Augment {
    fn contrasts(&self) -> bool {
        self.augmentation.colors.contrast > 0.0 && !self.gray
    }
}

impl Operator for Augment {
    fn name(&self) -> &'static str {
        if self.gray { "augment_gray" } else { "augment" }
    }

    fn arity(&self) -> (usize, usize) {
        let inputs = if self.contrasts() { 4 } else { 3 };
        (inputs, inputs)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let images = inputs[0];
        let dtype = match self.pixels {
            Pixels::Floats => DType::F32,
            Pixels::Bytes => DType::U8,
        };
        if images.dtype != dtype {
            return Err(format!("expects images of {dtype}, found {images}"));
        }
        let [oh, ow] = self.augmentation.output_size(&images.shape)?;
        let (n, channels) = (images.shape[0], images.shape[1]);
        let expected = [
            ("parameters", TensorType::f32([n, ROW])),
            ("a mean and a factor for each channel", TensorType::f32([2, channels])),
            ("a mean for each image", TensorType::f32([n])),
        ];
        for (input, (name, expected)) in inputs[1..].iter().zip(expected) {
            if **input != expected {
                return Err(format!("expects {name}, {expected}, found {input}"));
            }
        }
        if self.gray {
            if channels != 1 && channels != 3 {
                return Err(format!("gray values need 1 or 3 channels, found {images}"));
            }
            return Ok(vec![TensorType::f32([n, oh * ow])]);
        }
        Ok(vec![TensorType::f32([n, channels, oh, ow])])
    }

    fn reads_bytes(&self) -> bool {
        true
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        Err(cx.error("has no gradient by its images; augment inputs, not what a network made"))
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let images = cx.input_type(0).clone();
        let &[_, c, h, w] = &images.shape[..] else { unreachable!("the shape rule has passed") };
        let [oh, ow] = self.augmentation.output_size(&images.shape).expect("the shape rule has passed");
        let colors = self.augmentation.colors;
        let (saturation, hue) = (colors.saturation > 0.0 && !self.gray, colors.hue > 0.0 && !self.gray);
        let mixes = c == 3 && (saturation || hue || self.gray);
        let (kernel, groups) = cx.made_by(&parts::augment_sample, cx.output_type(0).shape.elements(), 1)?;
        let pixels = if images.dtype == DType::U8 { &parts::augment_bytes } else { &parts::augment_floats };
        // Indices of input elements are 31 bits too.
        cx.index(images.shape.elements())?;
        let kernel = kernel
            .fill(pixels)
            .fill_all(self.contrasts().then_some(&parts::augment_contrast))
            .with("C", cx.index(c)?)
            .with("IN_H", cx.index(h)? as i32)
            .with("IN_W", cx.index(w)? as i32)
            .with("OUT_H", cx.index(oh)?)
            .with("OUT_W", cx.index(ow)?)
            .with(
                "BORDER",
                match self.augmentation.border {
                    Border::Zeros => 0u32,
                    Border::Reflect => 1,
                    Border::Replicate => 2,
                },
            )
            .with("GRAY", self.gray)
            .with("MIXES", mixes)
            .with("BRIGHTNESS", colors.brightness > 0.0)
            .with("SATURATION", saturation)
            .with("HUE", hue)
            .with("ERASED", self.augmentation.erase.map_or(0.0, |erase| erase.value));
        let mut operands: Vec<_> = (0..cx.inputs()).map(|i| cx.input(i)).collect();
        operands.push(cx.output(0));
        cx.dispatch_epilogue(kernel, &operands, groups, 1);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    /// Positions are f32: on a side of 200 pixels they are off by 2^-17 or so.
    fn tolerance(&self) -> f64 {
        1e-4
    }
}
