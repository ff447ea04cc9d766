//! MNIST and the data sets that take its place: Fashion-MNIST, KMNIST, QMNIST.

use super::{Split, pages::MNIST};
use crate::data::Images;
use crate::error::Result;
use std::path::Path;

/// Classes of each.
const CLASSES: usize = 10;

impl Images {
    /// Reads a split from a directory that holds the files under MNIST's names
    /// (`train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, ..., also with a dot before `idx`) or QMNIST's
    /// (`qmnist-train-images-idx3-ubyte`, `qmnist-test-labels-idx2-int`, ...), plain or gzipped.
    ///
    /// The files are at these pages: [MNIST](https://github.com/cvdfoundation/mnist),
    /// [Fashion-MNIST](https://github.com/zalandoresearch/fashion-mnist),
    /// [KMNIST](https://github.com/rois-codh/kmnist), [QMNIST](https://github.com/facebookresearch/qmnist).
    ///
    /// # Errors
    /// As [`Images::from_files`], for ten classes. If a file is missing, the error says where to download it.
    pub fn load(directory: impl AsRef<Path>, split: Split) -> Result<Images> {
        let [images, labels] = split.files();
        let directory = directory.as_ref();
        Images::from_files(&MNIST.find(directory, images)?, &MNIST.find(directory, labels)?, CLASSES)
    }
}

impl Split {
    /// Accepted names of the files of images and of labels: MNIST's, the same with a dot, QMNIST's.
    fn files(self) -> [&'static [&'static str]; 2] {
        match self {
            Split::Train => [
                &["train-images-idx3-ubyte", "train-images.idx3-ubyte", "qmnist-train-images-idx3-ubyte"],
                &["train-labels-idx1-ubyte", "train-labels.idx1-ubyte", "qmnist-train-labels-idx2-int"],
            ],
            Split::Test => [
                &["t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte", "qmnist-test-images-idx3-ubyte"],
                &["t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte", "qmnist-test-labels-idx2-int"],
            ],
        }
    }
}
