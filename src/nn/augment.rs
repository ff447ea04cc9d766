//! Augmentation of a batch as one layer: crop, flip, affine map, colours, normalisation, erasing. Mixing of samples with
//! their labels is a method of [`Graph`](crate::Graph) of its own, since it makes labels too.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::graph::{Graph, Mode, Value};
use crate::ops::augment::{
    Affine, Augment as Sample, AugmentParameters, Augmentation, Border, ColorJitter, Crop, Erase, Flip,
    Pixels,
};
use crate::plan::Plan;
use crate::session::Session;
use crate::tensor::{DType, HostTensor};
use crate::weights::Weights;

/// Random changes of images (N, C, H, W), f32 or u8, drawn from (seed, step, sample). The same seed draws the same
/// after any interruption, and on another adapter the same to rounding. It takes two dispatches, and with contrast two
/// more. In evaluation images are only normalised, and cut to the size of the crops.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::ops::augment::{Affine, ColorJitter};
/// use wgrad::{Graph, Mode, nn::Augment};
///
/// let augment = Augment::new(7)
///     .random_crop([32, 32], 4)
///     .flip(0.5)
///     .affine(Affine { degrees: [-10.0, 10.0], ..Affine::default() })
///     .color_jitter(ColorJitter { brightness: 0.2, ..ColorJitter::default() })
///     .normalize(&[0.49, 0.48, 0.45], &[0.25, 0.24, 0.26]);
///
/// let mut g = Graph::new();
/// let pixels = g.input_u8("images", [64, 3, 32, 32])?;
/// let images = augment.apply(&mut g, pixels, Mode::Train)?;
/// assert_eq!(g.shape(images)?[..], [64, 3, 32, 32]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Augment {
    augmentation: Augmentation,
    border: Option<Border>,
    seed: u64,
    items: String,
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Augment {
    /// No change yet.
    pub fn new(seed: u64) -> Self {
        Augment {
            augmentation: Augmentation::default(),
            border: None,
            seed,
            items: String::new(),
            mean: Vec::new(),
            deviation: Vec::new(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Augmentation)) -> Self {
        change(&mut self.augmentation);
        self
    }

    /// [`Crop::Padded`].
    #[must_use = "the method returns the changed value"]
    pub fn random_crop(self, size: [usize; 2], padding: usize) -> Self {
        self.with(|all| all.crop = Crop::Padded { size, padding })
    }

    /// [`Crop::Resized`]; torchvision's ranges are `[0.08, 1.0]` and `[3.0 / 4.0, 4.0 / 3.0]`.
    #[must_use = "the method returns the changed value"]
    pub fn random_resized_crop(self, size: [usize; 2], scale: [f64; 2], ratio: [f64; 2]) -> Self {
        self.with(|all| all.crop = Crop::Resized { size, scale, ratio })
    }

    /// Mirrors each image with probability `p`.
    #[must_use = "the method returns the changed value"]
    pub fn flip(self, p: f64) -> Self {
        self.with(|all| all.flip = Flip::Chance(p))
    }

    /// [`Flip::Alternating`] with so many steps in an epoch, by the items' numbers in the data set. They are the graph's
    /// input of this name, i32 `[n]`, which [`Numbered`](crate::data::Numbered) gives to
    /// the data to train and to evaluate with.
    #[must_use = "the method returns the changed value"]
    pub fn alternating_flip(self, items: impl Into<String>, steps: u32) -> Self {
        let mut changed = self.with(|all| all.flip = Flip::Alternating { steps });
        changed.items = items.into();
        changed
    }

    /// An affine map after crop and flip. What it moves into the picture from beyond the crop is the image itself.
    #[must_use = "the method returns the changed value"]
    pub fn affine(self, affine: Affine) -> Self {
        self.with(|all| all.affine = Some(affine))
    }

    /// What lies beyond the image. By default it is the nearest pixel for [`Crop::Resized`], as where torchvision resizes,
    /// and zeros for all else.
    #[must_use = "the method returns the changed value"]
    pub fn border(mut self, border: Border) -> Self {
        self.border = Some(border);
        self
    }

    /// Changes of colour.
    #[must_use = "the method returns the changed value"]
    pub fn color_jitter(self, colors: ColorJitter) -> Self {
        self.with(|all| all.colors = colors)
    }

    /// Erases a rectangle.
    #[must_use = "the method returns the changed value"]
    pub fn erase(self, erase: Erase) -> Self {
        self.with(|all| all.erase = Some(erase))
    }

    /// `(x - mean) / deviation` for each channel, after colours.
    #[must_use = "the method returns the changed value"]
    pub fn normalize(mut self, mean: &[f64], deviation: &[f64]) -> Self {
        (self.mean, self.deviation) = (mean.to_vec(), deviation.to_vec());
        self
    }

    /// Appends the nodes. In any mode but [`Mode::Train`] images are normalised only, and cut to the middle of the size
    /// that crops have.
    ///
    /// # Errors
    /// Images that are not (N, C, H, W) of f32 or u8, or are smaller than the crops without training; a range out of
    /// bounds; another number of means or deviations than channels; a deviation that is not above 0.
    pub fn apply(&self, g: &mut Graph, images: Value, mode: Mode) -> Result<Value> {
        let shape = g.shape(images)?.clone();
        let error = |message: String| Error::Setting { setting: "augment", message };
        let size = self.augmentation.output_size(&shape).map_err(error)?;
        let (mean, deviation) = self.normalization(shape[1])?;
        let pixels = match g.value(images)?.ty.dtype {
            DType::U8 => Pixels::Bytes,
            _ => Pixels::Floats,
        };
        if mode != Mode::Train {
            let mut plain = match pixels {
                Pixels::Bytes => g.normalize_bytes(images, &mean, &deviation)?,
                Pixels::Floats if self.mean.is_empty() => images,
                Pixels::Floats => {
                    let [mean, deviation] = [mean, deviation].map(|numbers| {
                        let numbers = numbers.into_iter().map(|x| x as f32).collect();
                        HostTensor::f32([shape[1], 1, 1], numbers).and_then(|numbers| g.constant(numbers))
                    });
                    let centered = g.sub(images, mean?)?;
                    g.div(centered, deviation?)?
                }
            };
            for (axis, side) in [2, 3].into_iter().zip(size) {
                let Some(beside) = shape[axis].checked_sub(side) else {
                    let message = format!("images {shape} are smaller than the crops, {size:?}, of training");
                    return Err(error(message));
                };
                if beside > 0 {
                    plain = g.slice(plain, axis, beside / 2..beside / 2 + side, 1)?;
                }
            }
            return Ok(plain);
        }
        let numbers = mean.into_iter().chain(deviation.into_iter().map(|d| 1.0 / d)).map(|x| x as f32);
        let numbers = g.constant(HostTensor::f32([2, shape[1]], numbers.collect())?)?;
        let border = self.border.unwrap_or(match self.augmentation.crop {
            Crop::Resized { .. } => Border::Replicate,
            Crop::Whole | Crop::Padded { .. } => Border::Zeros,
        });
        let augmentation = Augmentation { border, ..self.augmentation };
        let tables = g.constant(augmentation.tables(&shape).map_err(error)?)?;
        let mut inputs = vec![g.step_counter(), tables];
        if let Flip::Alternating { .. } = augmentation.flip {
            let items = &self.items;
            inputs.push(g.find(items).ok_or_else(|| {
                error(format!(
                    "the graph has no input \"{items}\", the items' numbers; data::Numbered gives it"
                ))
            })?);
        }
        let node = g.count_of("augment_parameters") as u32;
        let rows =
            g.apply1(AugmentParameters { augmentation, images: shape, seed: self.seed, node }, &inputs)?;
        let mut inputs = vec![images, rows, numbers];
        if augmentation.colors.contrast > 0.0 {
            let gray = g.apply1(Sample { augmentation, gray: true, pixels }, &inputs)?;
            inputs.push(g.mean(gray, &[1], false)?);
        }
        g.apply1(Sample { augmentation, gray: false, pixels }, &inputs)
    }

    /// What the first `steps` steps of training make of images, without normalisation: to be looked at. Images that flip
    /// alternatingly are numbered from 0.
    ///
    /// # Errors
    /// As [`Augment::apply`]; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn sample(&self, device: &Device, images: &HostTensor, steps: usize) -> Result<Vec<HostTensor>> {
        crate::device::block_on(self.sample_async(device, images, steps))
    }

    /// [`Augment::sample`] without blocking for the GPU. It blocks while the driver compiles the kernels.
    ///
    /// # Errors
    /// As [`Augment::sample`].
    pub async fn sample_async(
        &self,
        device: &Device,
        images: &HostTensor,
        steps: usize,
    ) -> Result<Vec<HostTensor>> {
        let plain = Augment { mean: Vec::new(), deviation: Vec::new(), ..self.clone() };
        let mut g = Graph::new();
        let given = g.constant(images.clone())?;
        let numbers: Vec<i32> = (0..images.shape.first().map_or(0, |&n| n as i32)).collect();
        let items = match self.augmentation.flip {
            Flip::Alternating { .. } => Some(g.input_i32(&self.items, [numbers.len()])?),
            Flip::Chance(_) => None,
        };
        let changed = plain.apply(&mut g, given, Mode::Train)?;
        let plan = Plan::new(&g, &[changed], device.caps())?;
        let mut session = Session::new(device, plan, &Weights::init(device, &g, 0)?)?;
        let mut samples = Vec::new();
        for _ in 0..steps {
            if let Some(items) = items {
                session.write(items, &numbers)?;
            }
            session.step_async().await?;
            samples.push(session.read_async(changed).await?);
        }
        Ok(samples)
    }

    /// Mean and deviation of each channel, 0 and 1 unless they were given.
    fn normalization(&self, channels: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        if self.mean.is_empty() && self.deviation.is_empty() {
            return Ok((vec![0.0; channels], vec![1.0; channels]));
        }
        let error = |message: String| Err(Error::Setting { setting: "augment", message });
        if self.mean.len() != channels || self.deviation.len() != channels {
            let found = format!("found {} and {}", self.mean.len(), self.deviation.len());
            return error(format!("expects {channels} means and deviations, {found}"));
        }
        if let Some(bad) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return error(format!("a mean must be finite, found {bad}"));
        }
        match self.deviation.iter().find(|&&deviation| !(deviation > 0.0 && deviation.is_finite())) {
            Some(bad) => error(format!("a deviation must be above 0 and finite, found {bad}")),
            None => Ok((self.mean.clone(), self.deviation.clone())),
        }
    }
}
