//! Images in host memory.

use super::Split;
use super::dataset::{Dataset, Field, Item, Kind};
use super::idx::{self, Pictures};
use crate::error::{Error, Result};
use crate::file::printable_path;
use std::fmt;
use std::path::Path;

/// Classes of the MNIST family.
const MNIST_CLASSES: usize = 10;

/// Grey images of one size with their classes, one byte a pixel.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::Images;
///
/// // Ten images of 2 x 2 pixels, of two classes.
/// let data = Images::new(vec![128; 10 * 2 * 2], vec![0, 1].repeat(5), 2, 2, 2)?;
/// let mut batches = data.shuffled(42, 0).batches(4)?; // seed and epoch
/// while let Some(batch) = batches.next_batch() {
///     assert_eq!((batch.images.len(), batch.labels.len()), (4 * 2 * 2, 4));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Images {
    images: Vec<u8>,
    labels: Vec<u8>,
    rows: usize,
    columns: usize,
    classes: usize,
    fields: [Field; 2],
}

impl Images {
    /// Reads a split from a directory that holds the files under MNIST's names
    /// (`train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, ..., also with a dot before `idx`) or QMNIST's
    /// (`qmnist-train-images-idx3-ubyte`, `qmnist-test-labels-idx2-int`, ...), plain or gzipped.
    ///
    /// # Errors
    /// A file that is missing, truncated, too long, damaged or of another format; a number of labels that
    /// differs from the number of images; a label outside the ten classes.
    pub fn load(directory: impl AsRef<Path>, split: Split) -> Result<Images> {
        let [images, labels] = split.files();
        let directory = directory.as_ref();
        Images::from_files(&idx::find(directory, images)?, &idx::find(directory, labels)?, MNIST_CLASSES)
    }

    /// Reads one file of images and one of labels; names that end in `.gz` are gzipped. Images are unsigned
    /// bytes in three dimensions. Labels are unsigned bytes or 32-bit integers in one dimension, or QMNIST's
    /// rows of eight integers, whose first is the class.
    ///
    /// # Errors
    /// As [`Images::load`], for `classes` classes.
    pub fn from_files(images: &Path, labels: &Path, classes: usize) -> Result<Images> {
        let classes_of = idx::labels(labels, classes)?;
        let Pictures { sizes: [count, rows, columns], bytes } = idx::images(images)?;
        if classes_of.len() != count {
            return Err(idx::fault(
                labels,
                format!(
                    "holds {} labels, but {} holds {count} images; take both from the same data set",
                    classes_of.len(),
                    printable_path(images)
                ),
            ));
        }
        Ok(Images {
            images: bytes,
            labels: classes_of,
            rows,
            columns,
            classes,
            fields: fields(rows, columns),
        })
    }

    /// A data set from memory. `images` holds `labels.len()` images of `rows * columns` bytes, one after the
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
        let error = |setting, message| Err(Error::Setting { setting, message });
        let expected = labels.len().checked_mul(rows).and_then(|n| n.checked_mul(columns));
        if labels.is_empty() || labels.len() > u32::MAX as usize {
            return error("labels", format!("found {}, expected 1 to {}", labels.len(), u32::MAX));
        }
        if expected != Some(images.len()) || images.is_empty() {
            return error(
                "images",
                format!(
                    "found {} bytes, expected {} images x {rows} rows x {columns} columns",
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
        Ok(Images { images, labels, rows, columns, classes, fields: fields(rows, columns) })
    }

    /// Number of images, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a data set is never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Height of an image.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Width of an image.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Pixels of image `index`, row by row; `None` past the last.
    pub fn image(&self, index: usize) -> Option<&[u8]> {
        let size = self.rows * self.columns;
        self.images.get(index.checked_mul(size)?..)?.get(..size)
    }

    /// Class of every image.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}

/// How many images there are, of which size and how many classes.
impl fmt::Display for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Images { labels, rows, columns, classes, .. } = self;
        write!(f, "{} images of {rows} x {columns} and {classes} classes", labels.len())
    }
}

/// `image`, bytes of \[1, rows, columns], and `label`.
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
}

fn fields(rows: usize, columns: usize) -> [Field; 2] {
    [Field::new("image", [1, rows, columns], Kind::U8), Field::new("label", [0; 0], Kind::I32)]
}

fn outside(labels: &[u8], classes: usize) -> Option<(usize, u8)> {
    let i = labels.iter().position(|&label| usize::from(label) >= classes)?;
    Some((i, labels[i]))
}
