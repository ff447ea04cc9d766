//! Batches: images as f32 and labels as i32, in buffers that are reused.
//!
//! A graph has one batch size, so the last batch of an epoch is filled up:
//!
//! - In **training** ([`Samples::batches`]) with the first samples of the same order, which are then seen
//!   twice in that epoch. Rows of zeros, even with ignored labels, would enter batch norm's statistics. With
//!   shuffling, each epoch repeats other samples.
//! - In **evaluation** ([`Samples::padded_batches`]) with black images under [`IGNORED_LABEL`]. That is
//!   exact: in evaluation no layer mixes the rows of a batch, and ignored labels count neither in the loss
//!   nor among the correct predictions.

use super::{IGNORED_LABEL, Images};
use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

/// A data set in some order.
#[derive(Clone, Debug)]
pub struct Samples<'d> {
    dataset: &'d Images,
    order: Vec<u32>,
}

impl Images {
    /// All samples in an order that depends only on `seed` and `epoch`: rand's Fisher-Yates shuffle with
    /// ChaCha8 numbers, where the epoch selects the stream.
    pub fn shuffled(&self, seed: u64, epoch: u64) -> Samples<'_> {
        let mut samples = self.in_order();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(epoch);
        samples.order.shuffle(&mut rng);
        samples
    }

    /// All samples as they stand in the file.
    pub fn in_order(&self) -> Samples<'_> {
        // They fit u32: files count images with one, and `Images::new` checks.
        Samples { dataset: self, order: (0..self.len() as u32).collect() }
    }
}

impl<'d> Samples<'d> {
    /// Indices of the samples in the data set, in this order.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// Batches to train with. The last one is filled up with samples from the start of the order.
    ///
    /// # Errors
    /// A batch size of zero, or one that memory can't hold.
    pub fn batches(self, batch_size: usize) -> Result<Batches<'d>> {
        Batches::new(self, batch_size, false)
    }

    /// Batches to evaluate with. The last one is filled up with black images under [`IGNORED_LABEL`].
    ///
    /// # Errors
    /// A batch size of zero, or one that memory can't hold.
    pub fn padded_batches(self, batch_size: usize) -> Result<Batches<'d>> {
        Batches::new(self, batch_size, true)
    }
}

/// A batch, as a graph's inputs take it.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Batch<'b> {
    /// Pixels from 0 to 1 (the byte over 255), shape \[batch, channels, rows, columns].
    pub images: &'b [f32],
    /// Classes, shape \[batch].
    pub labels: &'b [i32],
    /// Number of samples that are neither repeated nor padding: less than the batch size only in the last
    /// batch.
    pub samples: usize,
}

/// Iterates over batches, in buffers that are allocated once.
#[derive(Clone, Debug)]
pub struct Batches<'d> {
    samples: Samples<'d>,
    padded: bool,
    next: usize,
    scaled: [f32; 256],
    images: Vec<f32>,
    labels: Vec<i32>,
}

impl<'d> Batches<'d> {
    fn new(samples: Samples<'d>, batch_size: usize, padded: bool) -> Result<Self> {
        let error = |message: String| Error::Setting { setting: "batch_size", message };
        if batch_size == 0 {
            return Err(error("found 0, expected at least 1".into()));
        }
        let too_large = || error(format!("{batch_size} images do not fit memory"));
        let size = samples.dataset.channels() * samples.dataset.rows() * samples.dataset.columns();
        let floats = batch_size.checked_mul(size).ok_or_else(too_large)?;
        let mut images = Vec::new();
        let mut labels = Vec::new();
        images.try_reserve_exact(floats).map_err(|_| too_large())?;
        labels.try_reserve_exact(batch_size).map_err(|_| too_large())?;
        // A table gives the same bits as the division, for one load.
        let scaled = std::array::from_fn(|byte| byte as f32 / 255.0);
        images.resize(floats, 0.0);
        labels.resize(batch_size, IGNORED_LABEL);
        Ok(Batches { samples, padded, next: 0, scaled, images, labels })
    }

    /// Number of batches of the epoch.
    pub fn count(&self) -> usize {
        self.samples.order.len().div_ceil(self.labels.len())
    }

    /// The next batch; `None` after the last. It borrows buffers that the following call overwrites.
    pub fn next_batch(&mut self) -> Option<Batch<'_>> {
        let Samples { dataset, order } = &self.samples;
        if self.next >= order.len() {
            return None;
        }
        let size = self.images.len() / self.labels.len();
        let samples = self.labels.len().min(order.len() - self.next);
        let rows = self.images.chunks_exact_mut(size).zip(&mut self.labels);
        for (row, (pixels, label)) in rows.enumerate() {
            if self.padded && row >= samples {
                pixels.fill(0.0);
                *label = IGNORED_LABEL;
                continue;
            }
            let sample = order[(self.next + row) % order.len()] as usize;
            let bytes = dataset.image(sample).unwrap_or_default();
            for (pixel, &byte) in pixels.iter_mut().zip(bytes) {
                *pixel = self.scaled[usize::from(byte)];
            }
            *label = i32::from(dataset.labels()[sample]);
        }
        self.next += samples;
        Some(Batch { images: &self.images, labels: &self.labels, samples })
    }
}
