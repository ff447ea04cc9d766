//! How a picture is read: its channels and size, and how it is brought to that size.

use super::decode::{Decoded, decode};
use super::resize::{Taps, resize};
use crate::data::files::{fault, unreadable};
use crate::error::{Error, Result};
use crate::file;
use crate::memory;
use crate::weights::IN_MEMORY;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The most bytes of a picture's file.
const LARGEST_FILE: u64 = 256 << 20;
/// The most rows or columns of a picture as it is read.
const LARGEST: usize = 1 << 14;

/// How a picture is brought to the wanted size. Pixels are averaged bilinearly over all that fall into one, as
/// torchvision's `Resize` does with pictures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// The shorter side gets this many pixels, at least the larger of rows and columns; then the centre is cut out.
    /// torchvision's `Resize(n)` and `CenterCrop`.
    Crop(usize),
    /// Both sides are scaled, whatever the proportions. torchvision's `Resize((rows, columns))`.
    Stretch,
}

/// How pictures are read: in grey or in colour, their size, and how they are fitted to it.
///
/// A picture is turned upright as its EXIF data says. Transparency is dropped, and 16-bit channels become bytes. The grey
/// of a coloured pixel is 0.299 R + 0.587 G + 0.114 B.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::{Fit, Picture};
///
/// // torchvision's preparation for ImageNet.
/// let pixels = Picture::rgb(224, 224).fit(Fit::Crop(256)).read("cat.jpg")?;
/// assert_eq!(pixels.len(), 3 * 224 * 224);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Picture {
    channels: usize,
    rows: usize,
    columns: usize,
    fit: Fit,
    most_pixels: u64,
}

impl Picture {
    /// Pictures of red, green and blue. The shorter side is scaled to the larger of `rows` and `columns`, then the centre
    /// is cut out.
    pub fn rgb(rows: usize, columns: usize) -> Self {
        Picture { channels: 3, rows, columns, fit: Fit::Crop(rows.max(columns)), most_pixels: u64::MAX }
    }

    /// Grey pictures, of one channel, fitted as [`Picture::rgb`] does.
    pub fn grey(rows: usize, columns: usize) -> Self {
        Picture { channels: 1, ..Picture::rgb(rows, columns) }
    }

    setters! {
        /// Sets how a picture is brought to the wanted size.
        fit: Fit;
        /// Sets how many pixels a picture may have in its file. A small file can hold very many, which all are decoded. By
        /// default the file's size limits them.
        most_pixels: u64;
    }

    /// Channels, rows and columns.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.rows, self.columns]
    }

    /// Reads a file, as a data set of such pictures does: bytes of \[channels, rows, columns].
    ///
    /// # Errors
    /// A file that can't be read, is damaged or truncated, or is no PNG, JPEG or WebP; a size that makes no sense.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>> {
        self.check()?;
        let mut pixels = memory::filled(self.shape().iter().product(), 0, "a picture")?;
        self.read_into(path.as_ref(), &mut pixels)?;
        Ok(pixels)
    }

    /// [`Picture::read`] of a file's contents in host memory, such as a picture that came over a network.
    ///
    /// # Errors
    /// As [`Picture::read`], except those of the file.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        self.check()?;
        let mut pixels = memory::filled(self.shape().iter().product(), 0, "a picture")?;
        self.decode_into(bytes, Path::new(IN_MEMORY), &mut pixels)?;
        Ok(pixels)
    }

    /// Checks the size.
    pub(super) fn check(&self) -> Result<()> {
        let error = |setting, message| Err(Error::Setting { setting, message });
        let Picture { rows, columns, fit, .. } = *self;
        if rows == 0 || columns == 0 || rows > LARGEST || columns > LARGEST {
            return error("picture", format!("found {rows} x {columns}, expected sides from 1 to {LARGEST}"));
        }
        match fit {
            Fit::Crop(shorter) if shorter < rows.max(columns) || shorter > LARGEST => {
                let least = rows.max(columns);
                error("fit", format!("found a shorter side of {shorter}, expected {least} to {LARGEST}"))
            }
            _ => Ok(()),
        }
    }

    /// Reads a file into `pixels`, which has the picture's size.
    pub(super) fn read_into(&self, path: &Path, pixels: &mut [u8]) -> Result<()> {
        let bytes = file::read_whole(path, LARGEST_FILE).map_err(unreadable(path))?;
        self.decode_into(&bytes, path, pixels)
    }

    /// Decodes what a file holds into `pixels`.
    fn decode_into(&self, bytes: &[u8], path: &Path, pixels: &mut [u8]) -> Result<()> {
        // Nothing of a decoder that panics is used again.
        let decoded = catch_unwind(AssertUnwindSafe(|| decode(bytes, self.channels, self.most_pixels)));
        let decoded = decoded.unwrap_or_else(|_| Err("is damaged: its decoder panicked".into()));
        let Decoded { width, height, pixels: found } = decoded.map_err(|message| fault(path, message))?;
        let (rows, columns) = self.taps(height, width);
        match self.channels {
            1 => resize::<1>(&found, width, &rows, &columns, pixels),
            _ => resize::<3>(&found, width, &rows, &columns, pixels),
        }
        Ok(())
    }

    /// Which pixels of a picture of this size each row and each column is made of.
    fn taps(&self, height: usize, width: usize) -> (Taps, Taps) {
        let Picture { rows, columns, fit, .. } = *self;
        let Fit::Crop(shorter) = fit else {
            return (Taps::new(height, rows, 0, rows), Taps::new(width, columns, 0, columns));
        };
        let least = height.min(width);
        let side = |size: usize, cut: usize| {
            let scaled = shorter * size / least;
            // Half a pixel goes to the even number, as in torchvision.
            let first = ((scaled - cut) as f64 / 2.0).round_ties_even() as usize;
            Taps::new(size, scaled, first, cut)
        };
        (side(height, rows), side(width, columns))
    }
}
