//! CIFAR-10 and CIFAR-100 in their binary format: records of labels and a colour image of 32 x 32, channel by channel.

use super::{Split, archive::Source, pages};
use crate::data::Images;
use crate::data::files::fault;
use crate::error::Result;
use crate::memory;
use std::path::Path;

/// Channels, rows and columns of an image.
const SIZES: [usize; 3] = [3, 32, 32];
const PIXELS: usize = SIZES[0] * SIZES[1] * SIZES[2];

/// Which of the data sets, and of its labels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cifar {
    /// CIFAR-10: ten classes.
    Ten,
    /// CIFAR-100: a hundred classes.
    Hundred,
    /// CIFAR-100 with the 20 superclasses as labels.
    Superclasses,
}

/// How a data set lies in its files.
struct Layout {
    folder: &'static str,
    archive: &'static str,
    classes: usize,
    /// Labels of a record, and which of them counts.
    labels: usize,
    label: usize,
    names: &'static str,
    files: &'static [&'static str],
}

impl Cifar {
    fn layout(self, split: Split) -> Layout {
        let hundred = |classes, label, names| Layout {
            folder: "cifar-100-binary",
            archive: "cifar-100-binary.tar.gz",
            classes,
            labels: 2,
            label,
            names,
            files: if split == Split::Train { &["train.bin"] } else { &["test.bin"] },
        };
        match self {
            Cifar::Ten => Layout {
                folder: "cifar-10-batches-bin",
                archive: "cifar-10-binary.tar.gz",
                classes: 10,
                labels: 1,
                label: 0,
                names: "batches.meta.txt",
                files: match split {
                    Split::Train => &[
                        "data_batch_1.bin",
                        "data_batch_2.bin",
                        "data_batch_3.bin",
                        "data_batch_4.bin",
                        "data_batch_5.bin",
                    ],
                    Split::Test => &["test_batch.bin"],
                },
            },
            Cifar::Hundred => hundred(100, 1, "fine_label_names.txt"),
            Cifar::Superclasses => hundred(20, 0, "coarse_label_names.txt"),
        }
    }
}

impl Images {
    /// Reads a split of CIFAR's binary version: from the directory with its `.bin` files, from the directory that
    /// holds that one, or from the archive (`cifar-10-binary.tar.gz`). Classes have names if the text file with them
    /// lies beside the others.
    ///
    /// The archives are at [CIFAR's page](https://www.cs.toronto.edu/~kriz/cifar.html).
    ///
    /// # Errors
    /// A file that is missing, truncated, damaged or of another format; a label outside the classes. If a file is missing,
    /// the error says where to download it.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::data::{Cifar, Images, Split};
    ///
    /// let train = Images::cifar("cifar-10-binary.tar.gz", Cifar::Ten, Split::Train)?;
    /// assert_eq!((train.len(), train.channels(), train.rows()), (50_000, 3, 32));
    /// # Ok(())
    /// # }
    /// ```
    pub fn cifar(source: impl AsRef<Path>, which: Cifar, split: Split) -> Result<Images> {
        let Layout { folder, archive, classes, labels: labels_of_record, label, names, files } =
            which.layout(split);
        let source = source.as_ref();
        if !source.try_exists().unwrap_or(true) {
            let message = format!("does not exist; expected {archive}, or the directory {folder}");
            return Err(pages::CIFAR.missing(source, &message));
        }
        let source = Source::open(source, folder, files, names)?;
        let record = labels_of_record + PIXELS;
        let total: usize = files.iter().filter_map(|name| source.contents(name)).map(<[u8]>::len).sum();
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        memory::reserve(&mut images, total / record * PIXELS, "CIFAR's images")?;
        memory::reserve(&mut labels, total / record, "CIFAR's labels")?;
        for name in files {
            let path = source.path(name);
            let Some(bytes) = source.contents(name) else {
                let message =
                    format!("does not exist; expected all files of {archive}, or the archive itself");
                return Err(pages::CIFAR.missing(&path, &message));
            };
            if bytes.is_empty() || bytes.len() % record != 0 {
                let message = format!(
                    "holds {} bytes, expected records of {record}; it is truncated or another version, take the binary one",
                    bytes.len()
                );
                return Err(fault(&path, message));
            }
            for (number, record) in bytes.chunks_exact(record).enumerate() {
                let class = record[label];
                if usize::from(class) >= classes {
                    let last = classes - 1;
                    let message = format!("has label {class} in record {number}, expected 0 to {last}");
                    return Err(fault(&path, message));
                }
                labels.push(class);
                images.extend_from_slice(&record[labels_of_record..]);
            }
        }
        let images = Images::with_sizes(images, labels, SIZES, classes)?;
        let Some(text) = source.contents(names) else { return Ok(images) };
        let text = String::from_utf8_lossy(text);
        let found: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if found.len() != classes {
            let message = format!("holds {} names, expected {classes}", found.len());
            return Err(fault(&source.path(names), message));
        }
        images.with_class_names(found)
    }
}
