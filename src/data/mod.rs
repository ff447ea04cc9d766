//! Data sets of grey images in host memory, and batches of them for a session.
//!
//! [`Images::load`] reads IDX files under MNIST's names (MNIST, Fashion-MNIST, KMNIST) or QMNIST's. Other
//! data needs nothing from this module: write it to the graph's inputs by
//! [`Session::write`](crate::Session::write).

mod batches;
mod dataset;
mod idx;
mod images;
mod loader;
mod order;

pub use batches::{Batches, Samples};
pub use dataset::{Column, Dataset, Field, Item, Kind};
pub use images::Images;
pub use loader::{Batch, IGNORED_LABEL, Last, Loader};
pub use order::Order;

/// Which part of a data set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Split {
    /// Images to train with.
    Train,
    /// Images to evaluate with, never trained on.
    Test,
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
