//! Images side by side as one PNG: a batch to be looked at.

use crate::error::{Error, Result};
use crate::file::{self, printable_path};
use crate::memory;
use crate::tensor::{HostData, HostTensor};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use std::path::Path;

/// Pixels between images.
const GAP: usize = 2;
/// The value of pixels between images.
const BETWEEN: u8 = 255;

/// Images side by side, as torchvision's `make_grid` and `save_image`.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{HostTensor, data::Grid};
///
/// let images = HostTensor::filled([16, 3, 32, 32], 0.5)?;
/// let mut grid = Grid::new(8);
/// grid.push(&images)?;
/// grid.save("images.png")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Grid {
    columns: usize,
    pub(super) images: Vec<Image>,
}

/// Red, green and blue of each pixel.
#[derive(Clone, Debug)]
pub(super) struct Image {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

impl Grid {
    /// No images yet, so many to a row.
    pub fn new(columns: usize) -> Self {
        Grid { columns: columns.max(1), images: Vec::new() }
    }

    /// Appends images (N, C, H, W) of 1 or 3 channels: bytes, or floats from 0 to 1. Floats beyond are cut off, and NaN is
    /// black.
    ///
    /// # Errors
    /// Another shape or element type; not enough host memory.
    pub fn push(&mut self, images: &HostTensor) -> Result<()> {
        self.images.extend(separate(images)?);
        Ok(())
    }

    /// Height and width in pixels.
    pub fn size(&self) -> [usize; 2] {
        let [height, width] = self.cell();
        let columns = self.columns.min(self.images.len());
        let rows = self.images.len().div_ceil(self.columns);
        [rows * (height + GAP) + GAP, columns * (width + GAP) + GAP]
    }

    /// Height and width of the largest image.
    fn cell(&self) -> [usize; 2] {
        let most = |side: fn(&Image) -> usize| self.images.iter().map(side).max().unwrap_or(0);
        [most(|image| image.height), most(|image| image.width)]
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// A grid without images, or too large for a PNG; not enough host memory.
    pub fn png(&self) -> Result<Vec<u8>> {
        let [rows, columns] = self.size();
        let (Ok(height), Ok(width), false) =
            (u32::try_from(rows), u32::try_from(columns), self.images.is_empty())
        else {
            return Err(refused(format!("{} images of {rows} x {columns} pixels", self.images.len())));
        };
        let [cell_height, cell_width] = self.cell();
        let mut pixels = memory::filled(3 * rows * columns, BETWEEN, "a grid of images")?;
        for (i, image) in self.images.iter().enumerate() {
            let top = GAP + i / self.columns * (cell_height + GAP);
            let left = GAP + i % self.columns * (cell_width + GAP);
            for (y, line) in image.pixels.chunks(3 * image.width).enumerate() {
                pixels[3 * ((top + y) * columns + left)..][..line.len()].copy_from_slice(line);
            }
        }
        let mut encoded = Vec::new();
        let written =
            PngEncoder::new(&mut encoded).write_image(&pixels, width, height, ExtendedColorType::Rgb8);
        written.map_err(|error| Error::Drawing(error.to_string()))?;
        Ok(encoded)
    }

    /// Writes a PNG.
    ///
    /// # Errors
    /// As [`Grid::png`]; a name that does not end in `.png`; a file that can't be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("png")) {
            let name = printable_path(path);
            return Err(refused(format!("pictures are PNG; let the name {name} end in .png")));
        }
        file::write_whole(path, &self.png()?)
    }
}

/// The images of a batch one by one.
pub(super) fn separate(images: &HostTensor) -> Result<Vec<Image>> {
    images.check().map_err(refused)?;
    let &[_, channels @ (1 | 3), height, width] = &images.shape[..] else {
        let found = images.ty();
        return Err(refused(format!("expects [n, 1 or 3 channels, height, width], found {found}")));
    };
    let byte: &dyn Fn(usize) -> u8 = match &images.data {
        HostData::U8(bytes) => &|i| bytes[i],
        // `as` cuts off, and NaN becomes 0.
        HostData::F32(floats) => &|i| (255.0 * floats[i]).round() as u8,
        _ => return Err(refused(format!("expects u8 or f32, found {}", images.ty()))),
    };
    let plane = height * width;
    let image = |n: usize| {
        let mut pixels = memory::filled(3 * plane, 0, "an image of a grid")?;
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let channel = if channels == 1 { 0 } else { i % 3 };
            *pixel = byte((n * channels + channel) * plane + i / 3);
        }
        Ok(Image { height, width, pixels })
    };
    (0..images.shape[0]).map(image).collect()
}

pub(super) fn refused(message: String) -> Error {
    Error::Setting { setting: "grid", message }
}
