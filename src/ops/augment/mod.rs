//! Augmentation of images in the graph: what is drawn for each sample, and the images made by it.
//!
//! [`AugmentParameters`] draws a row of numbers for each sample, from (seed, step, sample) by Philox; [`Augment`] reads
//! the rows and makes all that happens to an image in one dispatch. Crop, flip and affine map compose into one sampling
//! position, and colours, normalisation and erasing follow in registers. Only contrast needs two dispatches more, for the
//! mean of each image. Mixing of samples is in `mix`; the layer that puts all together is `nn::Augment`.

mod mix;
mod parameters;
mod sample;
mod settings;

pub use mix::{Mix, Mixing, mix_tables};
pub use parameters::AugmentParameters;
pub use sample::{Augment, Pixels};
pub use settings::{Affine, Augmentation, Border, ColorJitter, Crop, Erase, Flip};

/// Numbers of a sample's row.
pub(crate) const ROW: usize = 16;
/// Ranges at the head of the tables.
pub(crate) const RANGES: usize = 32;
/// Ratios of each table.
pub(crate) const RATIOS: usize = 256;

/// Words below it are taken with probability `p`.
pub(crate) fn below(p: f64) -> u32 {
    (p * 2f64.powi(32)).round() as u32
}

/// The smallest area of a rectangle in whole pixels, and how many areas there are.
pub(crate) fn areas(scale: [f64; 2], pixels: usize) -> [u32; 2] {
    let [least, most] = scale.map(|share| ((share * pixels as f64).round() as u32).max(1));
    [least, most.max(least) - least + 1]
}
