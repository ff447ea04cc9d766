//! Data sets, and the loader that reads batches of them.
//!
//! [`Dataset`] is the trait that a trainer and a [`Loader`] read from. [`Images`] holds images in memory and reads the
//! files of MNIST's family, EMNIST and CIFAR; [`Tensors`] holds anything else, such as signals; `ImageFiles`, with the
//! feature `images`, reads pictures when they are needed. [`Subset`] and [`split`] take parts, and
//! [`Numbered`] tells items apart.
//!
//! But for `save_augmented`, nothing here knows a graph or a device. Data may also be written to a graph's inputs without this module, by
//! [`Session::write`](crate::Session::write).

mod dataset;
mod files;
mod idx;
mod images;
mod loader;
mod numbered;
mod order;
#[cfg(feature = "images")]
mod pictures;
mod published;
mod subset;
mod tensors;

pub use dataset::{Dataset, Field, Item};
pub use idx::read_idx;
pub use images::Images;
pub use loader::{Batch, IGNORED_LABEL, Last, Loader};
pub use numbered::Numbered;
pub use order::Order;
#[cfg(all(feature = "images", not(target_arch = "wasm32")))]
pub use pictures::save_augmented;
#[cfg(feature = "images")]
pub use pictures::{Fit, Grid, ImageFiles, Picture};
pub use published::{Cifar, Emnist, Split};
pub use subset::{Subset, split};
pub use tensors::Tensors;
