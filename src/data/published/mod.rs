//! Published data sets, read from the files in which they are published: MNIST's family, EMNIST, CIFAR. Their formats
//! are in `idx` and `archive`, and `pages` says where they are downloaded.

mod archive;
mod cifar;
mod emnist;
mod mnist;
mod pages;

pub use cifar::Cifar;
pub use emnist::Emnist;

/// Which part of a data set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Split {
    /// Images to train with.
    Train,
    /// Images to evaluate with, never trained on.
    Test,
}
