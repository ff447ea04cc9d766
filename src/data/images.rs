//! Images in host memory. Files of published data sets are read in `published`.

use super::dataset::{Dataset, Field, Item};

use super::files::{check_names, fault};
use super::idx::{self, Pictures};
use crate::error::{Error, Result};
use crate::file::printable_path;
use crate::tensor::DType;
use std::fmt;
use std::path::Path;

/// Images of one size with their classes, one byte for each channel of a pixel.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::Images;
///
/// // Ten images of 2 x 2 pixels, of two classes.
/// let data = Images::new(vec![128; 10 * 2 * 2], vec![0, 1].repeat(5), 2, 2, 2)?;
/// assert_eq!((data.len(), data.classes(), data.labels()[3]), (10, 2, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Images {
    images: Vec<u8>,
    labels: Vec<u8>,
    /// Channels, rows and columns.
    sizes: [usize; 3],
    classes: usize,
    class_names: Vec<String>,
    fields: [Field; 2],
}

impl Images {
    /// Reads one file of images and one of labels; names that end in `.gz` are gzipped. Images are unsigned
    /// bytes in three dimensions (count, rows, columns) or four (count, channels, rows, columns). Labels are unsigned
    /// bytes or 32-bit integers in one dimension, or QMNIST's rows of eight integers, whose first is the class.
    ///
    /// # Errors
    /// A file that is missing, truncated, too long, damaged or of another format; a number of labels that
    /// differs from the number of images; a label outside `classes` classes.
    pub fn from_files(images: &Path, labels: &Path, classes: usize) -> Result<Images> {
        let classes_of = idx::labels(labels, classes)?;
        let Pictures { sizes: [count, sizes @ ..], bytes } = idx::images(images)?;
        if classes_of.len() != count {
            return Err(fault(
                labels,
                format!(
                    "holds {} labels, but {} holds {count} images; take both from the same data set",
                    classes_of.len(),
                    printable_path(images)
                ),
            ));
        }
        Images::with_sizes(bytes, classes_of, sizes, classes)
    }

    /// Grey images from memory. `images` holds `labels.len()` images of `rows * columns` bytes, one after the
    /// other.
    ///
    /// # Errors
    /// No images, sizes that do not match, a label outside `0..classes`.
    pub fn new(
        images: Vec<u8>,
        labels: Vec<u8>,
        rows: usize,
        columns: usize,
        classes: usize,
    ) -> Result<Images> {
        Images::with_sizes(images, labels, [1, rows, columns], classes)
    }

    /// Images of any number of channels from memory. `images` holds `labels.len()` images of `sizes`: channels, rows,
    /// columns. A channel's pixels follow each other, row by row.
    ///
    /// # Errors
    /// As [`Images::new`].
    pub fn with_sizes(images: Vec<u8>, labels: Vec<u8>, sizes: [usize; 3], classes: usize) -> Result<Images> {
        let error = |setting, message| Err(Error::Setting { setting, message });
        let [channels, rows, columns] = sizes;
        let expected = sizes.iter().try_fold(labels.len(), |product, &size| product.checked_mul(size));
        if labels.is_empty() || labels.len() > u32::MAX as usize {
            return error("labels", format!("found {}, expected 1 to {}", labels.len(), u32::MAX));
        }
        if expected != Some(images.len()) || images.is_empty() {
            let channels = if channels == 1 { String::new() } else { format!("{channels} channels x ") };
            return error(
                "images",
                format!(
                    "found {} bytes, expected {} images x {channels}{rows} rows x {columns} columns",
                    images.len(),
                    labels.len()
                ),
            );
        }
        if let Some((i, label)) = outside(&labels, classes) {
            return error(
                "labels",
                format!("label {label} at position {i}, expected 0 to {}", classes.saturating_sub(1)),
            );
        }
        let fields = [Field::new("image", sizes, DType::U8), Field::new("label", [0; 0], DType::I32)];
        Ok(Images { images, labels, sizes, classes, class_names: Vec::new(), fields })
    }

    /// Gives the classes names, by label; an empty list takes them away.
    ///
    /// # Errors
    /// Not one name for each class.
    pub fn with_class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Images> {
        self.class_names = names.into_iter().map(Into::into).collect();
        check_names(&self.class_names, self.classes)?;
        Ok(self)
    }

    /// Number of images, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a data set is never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Channels of an image: 1 for grey.
    pub fn channels(&self) -> usize {
        self.sizes[0]
    }

    /// Height of an image.
    pub fn rows(&self) -> usize {
        self.sizes[1]
    }

    /// Width of an image.
    pub fn columns(&self) -> usize {
        self.sizes[2]
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Pixels of image `index`, channel by channel and row by row; `None` past the last.
    pub fn image(&self, index: usize) -> Option<&[u8]> {
        let size = self.sizes.iter().product();
        self.images.get(index.checked_mul(size)?..)?.get(..size)
    }

    /// Class of every image.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The bytes of all images, to be changed in place.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.images
    }
}

/// A summary. The pixels are left out, since there may be millions.
impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Images({self})")
    }
}

/// The number of images, their size, and the number of classes.
impl fmt::Display for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Images { labels, sizes: [_, rows, columns], classes, .. } = self;
        write!(f, "{} images of {rows} x {columns} and {classes} classes", labels.len())
    }
}

/// `image`, bytes of \[channels, rows, columns], and `label`.
impl Dataset for Images {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        let Some(image) = self.image(index) else {
            let message = format!("item {index} of {}", self.labels.len());
            return Err(Error::Setting { setting: "index", message });
        };
        item.u8("image")?.copy_from_slice(image);
        item.i32("label")?[0] = self.labels[index].into();
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.labels.get(index).map(|&label| label.into())
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }
}

fn outside(labels: &[u8], classes: usize) -> Option<(usize, u8)> {
    let i = labels.iter().position(|&label| usize::from(label) >= classes)?;
    Some((i, labels[i]))
}
