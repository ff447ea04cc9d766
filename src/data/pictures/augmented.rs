//! Augmented images beside those that they were, as one PNG.

use super::grid::{Grid, refused, separate};
use crate::data::{Dataset, Loader, Order};
use crate::device::Device;
use crate::error::Result;
use crate::nn::Augment;
use crate::tensor::HostTensor;
use std::path::Path;

/// Draws a data set's first `items` items as a PNG, one to a row: on the left as they are, and beside it as the first
/// `steps` steps of training would change them, without normalisation. The data set's first field is its images.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::{ImageFiles, Picture, save_augmented};
/// use wgrad::{Device, nn::Augment};
///
/// let data = ImageFiles::folder("pictures", Picture::rgb(64, 64))?;
/// let augment = Augment::new(7).random_crop([64, 64], 8).flip(0.5);
/// save_augmented("augmented.png", &Device::open()?, &augment, &data, 8, 10)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Fewer items; a first field that is no image of 1 or 3 channels; those of [`Augment::apply`] and [`Grid::save`].
pub fn save_augmented(
    path: impl AsRef<Path>,
    device: &Device,
    augment: &Augment,
    data: &dyn Dataset,
    items: usize,
    steps: usize,
) -> Result<()> {
    if items == 0 || items > data.len() {
        return Err(refused(format!("expects 1 to {} items, all that there are, found {items}", data.len())));
    }
    let Some(field) = data.fields().first().filter(|field| field.shape.len() == 3) else {
        return Err(refused(
            "expects a data set whose first field is an image [channels, height, width]".into(),
        ));
    };
    let shape: Vec<usize> = [&[items], &field.shape[..]].concat();
    let order = Order::sequential(items)?;
    let mut found = None;
    Loader::new(items).workers(0).run(data, &order, 0..1, |batch| {
        found = batch.columns().first().cloned();
        Ok(())
    })?;
    let images = found.ok_or_else(|| refused("there is no batch".into()))?;
    let images = HostTensor { shape: shape.into(), data: images };
    let mut all = vec![separate(&images)?];
    for changed in augment.sample(device, &images, steps)? {
        all.push(separate(&changed)?);
    }
    let mut grid = Grid::new(all.len());
    for item in 0..items {
        grid.images.extend(all.iter().map(|images| images[item].clone()));
    }
    grid.save(path)
}
