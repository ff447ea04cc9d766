//! Batches: images as floats and labels as i32 in buffers that are used again.
//!
//! A graph has one batch size, so the last batch of an epoch has to be made whole. How depends on
//! what it is for:
//!
//! - In **training** ([`Samples::batches`]) it is filled up with the first samples of the same order.
//!   Rows of zeros, even with ignored labels, would take part in batch norm's statistics; these
//!   are samples like any other, seen twice in that epoch. With shuffling they are others each time.
//! - In **evaluation** ([`Samples::padded_batches`]) it is filled up with black images under
//!   [`IGNORED_LABEL`]. That is exact: in evaluation no layer mixes the rows of a batch, and ignored
//!   labels count neither in the loss nor among the correct predictions.

use super::Dataset;
use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

/// The label of rows that only fill up a batch; PyTorch's `ignore_index` by default.
pub const IGNORED_LABEL: i32 = -100;

/// A data set in some order.
#[derive(Clone, Debug)]
pub struct Samples<'d> {
    dataset: &'d Dataset,
    order: Vec<u32>,
}

impl Dataset {
    /// All samples in an order that follows from `seed` and `epoch` alone: a Fisher-Yates shuffle
    /// (rand's) with ChaCha8 numbers, the epoch choosing the stream.
    pub fn shuffled(&self, seed: u64, epoch: u64) -> Samples<'_> {
        let mut samples = self.in_order();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(epoch);
        samples.order.shuffle(&mut rng);
        samples
    }

    /// All samples as they stand in the file.
    pub fn in_order(&self) -> Samples<'_> {
        // As many as u32 can number: files count them with one, `Dataset::new` checks.
        Samples { dataset: self, order: (0..self.len() as u32).collect() }
    }
}

impl<'d> Samples<'d> {
    /// The samples' numbers in the data set.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// Batches to train with: the last is filled up with samples from the start of the order.
    ///
    /// # Errors
    /// A batch size of zero, or one that memory can't hold.
    pub fn batches(self, batch_size: usize) -> Result<Batches<'d>> {
        Batches::new(self, batch_size, false)
    }

    /// Batches to evaluate with: the last is filled up with black images under [`IGNORED_LABEL`].
    ///
    /// # Errors
    /// A batch size of zero, or one that memory can't hold.
    pub fn padded_batches(self, batch_size: usize) -> Result<Batches<'d>> {
        Batches::new(self, batch_size, true)
    }
}

/// A batch as inputs of a graph.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Batch<'b> {
    /// Pixels from 0 to 1 (the byte over 255), shape \[batch, 1, rows, columns].
    pub images: &'b [f32],
    /// Classes, shape \[batch].
    pub labels: &'b [i32],
    /// Samples of this batch that are neither repeated nor padding; fewer in the last one.
    pub samples: usize,
}

/// Makes batches one after the other, in buffers allocated once.
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
        let size = samples.dataset.rows * samples.dataset.columns;
        let floats = batch_size.checked_mul(size).ok_or_else(too_large)?;
        let mut images = Vec::new();
        let mut labels = Vec::new();
        images.try_reserve_exact(floats).map_err(|_| too_large())?;
        labels.try_reserve_exact(batch_size).map_err(|_| too_large())?;
        // A table gives the quotient rounded once, as division does, at the price of a load.
        let scaled = std::array::from_fn(|byte| byte as f32 / 255.0);
        images.resize(floats, 0.0);
        labels.resize(batch_size, IGNORED_LABEL);
        Ok(Batches { samples, padded, next: 0, scaled, images, labels })
    }

    /// Number of batches of the epoch.
    pub fn count(&self) -> usize {
        self.samples.order.len().div_ceil(self.labels.len())
    }

    /// The next batch; `None` after the last. It is overwritten by the one after it.
    pub fn next_batch(&mut self) -> Option<Batch<'_>> {
        let Samples { dataset, order } = &self.samples;
        if self.next >= order.len() {
            return None;
        }
        let size = dataset.rows * dataset.columns;
        let samples = self.labels.len().min(order.len() - self.next);
        let rows = self.images.chunks_exact_mut(size).zip(&mut self.labels);
        for (row, (pixels, label)) in rows.enumerate() {
            if self.padded && row >= samples {
                pixels.fill(0.0);
                *label = IGNORED_LABEL;
                continue;
            }
            let sample = order[(self.next + row) % order.len()] as usize;
            let bytes = &dataset.images[sample * size..][..size];
            for (pixel, &byte) in pixels.iter_mut().zip(bytes) {
                *pixel = self.scaled[usize::from(byte)];
            }
            *label = i32::from(dataset.labels[sample]);
        }
        self.next += samples;
        Some(Batch { images: &self.images, labels: &self.labels, samples })
    }
}
