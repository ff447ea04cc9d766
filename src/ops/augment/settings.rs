//! What augmentation may do, and with which distributions.

use super::{RANGES, RATIOS};
use crate::error::Result;
use crate::tensor::{HostTensor, Shape};

/// The largest height and width, whose squares are exact in f32.
const LONGEST: usize = 4095;

/// The part of an image that the output shows.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Crop {
    /// All of it.
    #[default]
    Whole,
    /// As torchvision's `RandomCrop`: a window of `size` at a uniform place of the image with `padding` on each side.
    Padded {
        /// Height and width of the output.
        size: [usize; 2],
        /// Pixels on each side.
        padding: usize,
    },
    /// As torchvision's `RandomResizedCrop`: a window whose area is a uniform share of the image and whose ratio of width
    /// to height is log-uniform, tried ten times and then in the middle. Places and sides are not rounded to pixels;
    /// areas are whole pixels, ratios one of 256.
    Resized {
        /// Height and width of the output.
        size: [usize; 2],
        /// Least and greatest share of the area.
        scale: [f64; 2],
        /// Least and greatest ratio of width to height.
        ratio: [f64; 2],
    },
}

/// Which images are mirrored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Flip {
    /// Each with this probability.
    Chance(f64),
    /// As airbench: in the first epoch at random by the item's number, and from then on each epoch mirrors what the one
    /// before did not. It takes the items' numbers as an input.
    Alternating {
        /// Steps of an epoch.
        steps: u32,
    },
}

/// What lies beyond an image.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Border {
    /// Zeros.
    #[default]
    Zeros,
    /// The image mirrored at its outermost pixels.
    Reflect,
    /// The nearest pixel.
    Replicate,
}

/// Ranges of an affine map about the image's middle, each uniform, as torchvision's `RandomAffine` with bilinear
/// sampling. Shifts are not rounded to pixels.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Affine {
    /// Rotation in degrees, clockwise, within -180 to 180.
    pub degrees: [f64; 2],
    /// The largest shift along width and height, as shares of the output's size.
    pub translate: [f64; 2],
    /// Factors of the size.
    pub scale: [f64; 2],
    /// Shear along the width in degrees, within -80 to 80.
    pub shear_x: [f64; 2],
    /// Shear along the height in degrees, within -80 to 80.
    pub shear_y: [f64; 2],
}

impl Default for Affine {
    fn default() -> Self {
        let none = [0.0; 2];
        Affine { degrees: none, translate: none, scale: [1.0; 2], shear_x: none, shear_y: none }
    }
}

/// Ranges of changes of colour, as torchvision's `ColorJitter` on images from 0 to 1, always in the order brightness,
/// contrast, saturation, hue. A factor is uniform from max(0, 1 - range) to 1 + range. Zero leaves a step out.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ColorJitter {
    /// Range of the factor of brightness.
    pub brightness: f64,
    /// Range of the factor of contrast.
    pub contrast: f64,
    /// Range of the factor of saturation.
    pub saturation: f64,
    /// The largest shift of the hue, as a share of the circle, at most 0.5.
    pub hue: f64,
}

/// A rectangle that is erased, as torchvision's `RandomErasing`: sides are roots of areas and ratios, rounded down; tried
/// ten times.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Erase {
    /// Probability.
    pub p: f64,
    /// Least and greatest share of the area.
    pub scale: [f64; 2],
    /// Least and greatest ratio of height to width.
    pub ratio: [f64; 2],
    /// What it is filled with, after normalisation.
    pub value: f32,
}

impl Default for Erase {
    /// torchvision's ranges: half of the images, 2 % to 33 % of the area, ratios of 0.3 to 3.3; with zeros.
    fn default() -> Self {
        Erase { p: 0.5, scale: [0.02, 0.33], ratio: [0.3, 3.3], value: 0.0 }
    }
}

/// All that is done to an image.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Augmentation {
    /// The part that is shown.
    pub crop: Crop,
    /// Which are mirrored.
    pub flip: Flip,
    /// The affine map, after crop and flip.
    pub affine: Option<Affine>,
    /// What lies beyond the image.
    pub border: Border,
    /// Changes of colour.
    pub colors: ColorJitter,
    /// The rectangle that is erased.
    pub erase: Option<Erase>,
}

impl Default for Augmentation {
    fn default() -> Self {
        Augmentation {
            crop: Crop::Whole,
            flip: Flip::Chance(0.0),
            affine: None,
            border: Border::Zeros,
            colors: ColorJitter::default(),
            erase: None,
        }
    }
}

fn ordered(name: &str, range: [f64; 2], least: f64, most: f64) -> Result<(), String> {
    if range[0] <= range[1] && range[0] >= least && range[1] <= most {
        return Ok(());
    }
    Err(format!("{name} has to be a range within {least} to {most}, found {range:?}"))
}

impl Augmentation {
    /// Height and width of the output for images (N, C, H, W).
    ///
    /// # Errors
    /// Another rank, a range that is empty or out of bounds, a window that does not fit.
    pub fn output_size(&self, images: &Shape) -> Result<[usize; 2], String> {
        let &[_, channels, h, w] = &images[..] else {
            return Err(format!("expects images [n, channels, height, width], found {images}"));
        };
        let size = match self.crop {
            Crop::Whole => [h, w],
            Crop::Padded { size, padding } => {
                let room = [h, w].map(|side| side.saturating_add(padding.saturating_mul(2)));
                if size[0] > room[0] || size[1] > room[1] {
                    return Err(format!(
                        "a crop of {size:?} does not fit {room:?}, the image and its padding"
                    ));
                }
                if room.iter().any(|&side| side > LONGEST) {
                    return Err(format!(
                        "sides of up to {LONGEST} with padding are possible, found {room:?}"
                    ));
                }
                size
            }
            Crop::Resized { size, scale, ratio } => {
                ordered("the crop's scale", scale, f64::MIN_POSITIVE, 1.0)?;
                ordered("the crop's ratio", ratio, 1e-3, 1e3)?;
                size
            }
        };
        if [size, [h, w]].as_flattened().iter().any(|side| !(1..=LONGEST).contains(side)) || channels == 0 {
            return Err(format!("sides of 1 to {LONGEST} are possible, found {images} to {size:?}"));
        }
        match self.flip {
            Flip::Chance(p) => ordered("the probability of a flip", [p; 2], 0.0, 1.0)?,
            Flip::Alternating { steps: 0 } => return Err("an epoch has at least one step, found 0".into()),
            Flip::Alternating { .. } => {}
        }
        if let Some(affine) = self.affine {
            ordered("degrees", affine.degrees, -180.0, 180.0)?;
            ordered("shear_x", affine.shear_x, -80.0, 80.0)?;
            ordered("shear_y", affine.shear_y, -80.0, 80.0)?;
            ordered("the affine map's scale", affine.scale, 1e-3, 1e3)?;
            for share in affine.translate {
                ordered("translate", [share; 2], 0.0, 1.0)?;
            }
        }
        let ColorJitter { brightness, contrast, saturation, hue } = self.colors;
        for (name, range) in [("brightness", brightness), ("contrast", contrast), ("saturation", saturation)]
        {
            ordered(name, [range; 2], 0.0, 1e3)?;
        }
        ordered("hue", [hue; 2], 0.0, 0.5)?;
        if (saturation > 0.0 || hue > 0.0) && channels != 3 {
            return Err(format!("saturation and hue need 3 channels, found {images}"));
        }
        if contrast > 0.0 && channels != 3 && channels != 1 {
            return Err(format!("contrast needs 1 or 3 channels, found {images}"));
        }
        if let Some(erase) = self.erase {
            ordered("the probability of erasing", [erase.p; 2], 0.0, 1.0)?;
            ordered("the erased scale", erase.scale, 0.0, 1.0)?;
            ordered("the erased ratio", erase.ratio, 1e-3, 1e3)?;
        }
        Ok(size)
    }

    /// The tables that [`AugmentParameters`](super::AugmentParameters) reads for images of this shape: ranges, and ratios
    /// in equal steps of their logarithm with their inverses, of crops and of erased rectangles.
    ///
    /// # Errors
    /// As [`Augmentation::output_size`].
    pub fn tables(&self, images: &Shape) -> Result<HostTensor, String> {
        let [oh, ow] = self.output_size(images)?;
        let (h, w) = (images[2] as f64, images[3] as f64);
        let affine = self.affine.unwrap_or_default();
        let factor = |range: f64| [(1.0 - range).max(0.0), 1.0 + range];
        let shift = |d: usize, side: usize| [-1.0, 1.0].map(|sign| sign * affine.translate[d] * side as f64);
        let radians = |range: [f64; 2]| range.map(f64::to_radians);
        let crop = if let Crop::Resized { ratio, .. } = self.crop { ratio } else { [1.0; 2] };
        // Where ten tries found no window, the largest of the nearest ratio is taken.
        let nearest = (w / h).clamp(crop[0], crop[1]);
        let middle = [h.min(w / nearest), w.min(h * nearest)];
        let ranges = [
            radians(affine.degrees),
            radians(affine.shear_x),
            radians(affine.shear_y),
            shift(0, ow),
            shift(1, oh),
            affine.scale,
            factor(self.colors.brightness),
            factor(self.colors.contrast),
            factor(self.colors.saturation),
            [-self.colors.hue, self.colors.hue],
            middle,
        ];
        let mut data: Vec<f32> = ranges.as_flattened().iter().map(|&number| number as f32).collect();
        data.resize(RANGES, 0.0);
        for [low, high] in [crop, self.erase.map_or([1.0; 2], |erase| erase.ratio)] {
            let ratio = |i: usize| (low.ln() + (high / low).ln() * (i as f64 + 0.5) / RATIOS as f64).exp();
            data.extend((0..RATIOS).map(|i| ratio(i) as f32));
            data.extend((0..RATIOS).map(|i| (1.0 / ratio(i)) as f32));
        }
        HostTensor::f32([data.len()], data).map_err(|error| error.to_string())
    }
}
