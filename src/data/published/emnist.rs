//! EMNIST: handwritten digits and letters in six selections. Its files hold each image with rows and columns
//! exchanged, and the labels of its letters count from 1.

use super::{Split, pages::EMNIST};
use crate::data::Images;
use crate::data::files::fault;
use crate::data::idx::{self, Pictures};
use crate::error::Result;
use std::path::Path;

/// Small letters that look unlike their capitals; the others share a class with them.
const OWN_SHAPES: &str = "abdefghnqrt";

/// A selection of EMNIST's characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Emnist {
    /// 62 classes: digits, capitals, small letters.
    ByClass,
    /// 47 classes: letters whose small form looks like the capital share a class.
    ByMerge,
    /// The classes of [`Emnist::ByMerge`], each as often.
    Balanced,
    /// 26 classes: letters, small and capital together.
    Letters,
    /// 10 classes: digits.
    Digits,
    /// 10 classes: as many digits as MNIST has.
    Mnist,
}

impl Emnist {
    /// The selection's name in the names of its files.
    pub fn name(self) -> &'static str {
        match self {
            Emnist::ByClass => "byclass",
            Emnist::ByMerge => "bymerge",
            Emnist::Balanced => "balanced",
            Emnist::Letters => "letters",
            Emnist::Digits => "digits",
            Emnist::Mnist => "mnist",
        }
    }

    fn class_names(self) -> Vec<String> {
        let capitals = || 'A'..='Z';
        let names: Vec<char> = match self {
            Emnist::ByClass => ('0'..='9').chain(capitals()).chain('a'..='z').collect(),
            Emnist::ByMerge | Emnist::Balanced => {
                ('0'..='9').chain(capitals()).chain(OWN_SHAPES.chars()).collect()
            }
            Emnist::Letters => ('a'..='z').collect(),
            Emnist::Digits | Emnist::Mnist => ('0'..='9').collect(),
        };
        names.into_iter().map(String::from).collect()
    }
}

impl Images {
    /// Reads a split of EMNIST from a directory with its files, such as `emnist-letters-train-images-idx3-ubyte.gz`,
    /// plain or gzipped. Images stand upright, labels count from 0, and classes have names.
    ///
    /// [EMNIST's page](https://www.nist.gov/itl/products-and-services/emnist-dataset) has the files in `gzip.zip`, which
    /// unpacks to the directory `gzip`.
    ///
    /// # Errors
    /// As [`Images::from_files`]. If a file is missing, the error says where to download it.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::data::{Dataset, Emnist, Images, Split};
    ///
    /// let letters = Images::emnist("emnist/gzip", Emnist::Letters, Split::Train)?;
    /// assert_eq!(letters.class_names()[25], "z");
    /// # Ok(())
    /// # }
    /// ```
    pub fn emnist(directory: impl AsRef<Path>, selection: Emnist, split: Split) -> Result<Images> {
        let part = if split == Split::Train { "train" } else { "test" };
        let file = |what| {
            let name = format!("emnist-{}-{part}-{what}-ubyte", selection.name());
            EMNIST.find(directory.as_ref(), &[&name])
        };
        let (images_file, labels_file) = (file("images-idx3")?, file("labels-idx1")?);
        let names = selection.class_names();
        let first = u8::from(selection == Emnist::Letters);
        let mut labels = idx::labels(&labels_file, names.len() + usize::from(first))?;
        if let Some(at) = labels.iter().position(|&label| label < first) {
            let message = format!("has label 0 at position {at}, expected 1 to {}", names.len());
            return Err(fault(&labels_file, message));
        }
        labels.iter_mut().for_each(|label| *label -= first);
        let Pictures { sizes: [count, channels, rows, columns], bytes } = idx::images(&images_file)?;
        if count != labels.len() {
            let message = format!("holds {count} images, but there are {} labels", labels.len());
            return Err(fault(&images_file, message));
        }
        // The sizes in the file are those of the exchanged images.
        let mut images = Images::with_sizes(bytes, labels, [channels, columns, rows], names.len())?;
        exchange(images.bytes_mut(), rows, columns);
        images.with_class_names(names)
    }
}

/// Exchanges rows and columns of each image.
fn exchange(images: &mut [u8], rows: usize, columns: usize) {
    let mut exchanged = Vec::with_capacity(rows * columns);
    for image in images.chunks_exact_mut(rows * columns) {
        exchanged.clear();
        exchanged.extend((0..columns).flat_map(|column| image.iter().skip(column).step_by(columns)));
        image.copy_from_slice(&exchanged);
    }
}
