//! The loader: threads that read batches ahead of the one that trains, in memory that is reused.
//!
//! Which items a batch has follows from the order and the batch's number alone, whatever the number of threads.

mod ahead;
mod batch;

pub use batch::Batch;

use super::dataset::Dataset;
use super::order::Order;
use crate::error::{Error, Result};
use std::ops::Range;

/// The label of padding rows. PyTorch's default `ignore_index`.
pub const IGNORED_LABEL: i32 = -100;

/// What becomes of a last batch that has too few items.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Last {
    /// It is filled up with the first items of the order, which then come twice in the epoch.
    Fill,
    /// It is filled up as well, and the field of this number gets [`IGNORED_LABEL`] there. In evaluation no layer mixes
    /// the rows of a batch, and ignored labels count nowhere, so that this is exact.
    Pad(usize),
    /// It has fewer items than the others.
    Short,
    /// It is left out.
    Drop,
}

/// Reads batches of a data set.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::{Dataset, Images, Loader, Order};
///
/// // Ten images of 2 x 2 pixels, of two classes.
/// let data = Images::new(vec![128; 10 * 2 * 2], vec![0, 1].repeat(5), 2, 2, 2)?;
/// let loader = Loader::new(4).workers(2);
/// let order = Order::shuffled(data.len(), 42, 0)?; // seed and epoch
/// let batches = loader.batches(order.len());
/// loader.run(&data, &order, 0..batches, |batch| {
///     assert_eq!((batch.u8("image")?.len(), batch.i32("label")?.len()), (4 * 2 * 2, 4));
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loader {
    batch_size: usize,
    workers: usize,
    ahead: usize,
    last: Last,
    skip_damaged: bool,
}

impl Loader {
    /// A loader of batches of this many items.
    pub fn new(batch_size: usize) -> Self {
        Loader { batch_size, workers: 1, ahead: 4, last: Last::Fill, skip_damaged: false }
    }

    setters! {
        /// Sets the threads that read, 1 by default. With 0 the calling thread reads.
        workers: usize;
        /// Sets how many batches are in memory at most, those being read included: 4 by default, and at least 2.
        ahead: usize;
        /// Sets what becomes of a last batch that has too few items: [`Last::Fill`] by default.
        last: Last;
        /// Sets whether an item that can't be read is replaced by the next one that can, instead of ending the run.
        /// [`Batch::damaged_items`] tells which. Off by default.
        skip_damaged: bool;
    }

    /// Number of batches of so many items.
    pub fn batches(&self, items: usize) -> usize {
        match self.last {
            Last::Drop => items / self.batch_size.max(1),
            _ => items.div_ceil(self.batch_size.max(1)),
        }
    }

    /// Reads these batches of the order, and hands each to `each` on the calling thread, in order.
    ///
    /// # Errors
    /// The first error of reading, in the batches' order, or of `each`. A batch size of 0, a data set without items, a
    /// range past the last batch; not enough host memory. A panic of [`Dataset::read`] is an error too.
    pub fn run(
        &self,
        data: &(impl Dataset + ?Sized),
        order: &Order,
        batches: Range<usize>,
        mut each: impl FnMut(&Batch) -> Result<()>,
    ) -> Result<()> {
        self.check(data, order, &batches)?;
        if batches.is_empty() {
            return Ok(());
        }
        let work = Work { loader: self, data, order };
        if self.workers == 0 {
            let mut batch = Batch::new(data.fields(), self.batch_size)?;
            for number in batches {
                work.read(number, &mut batch)?;
                each(&batch)?;
            }
            return Ok(());
        }
        ahead::run(&work, batches, each)
    }

    fn check(&self, data: &(impl Dataset + ?Sized), order: &Order, batches: &Range<usize>) -> Result<()> {
        let error = |setting, message| Err(Error::Setting { setting, message });
        if self.batch_size == 0 {
            return error("batch_size", "found 0, expected at least 1".into());
        }
        if let Last::Pad(field) = self.last
            && data.fields().get(field).is_none_or(|field| field.dtype != crate::tensor::DType::I32)
        {
            let message = format!(
                "field number {field} is padded with ignored labels, but the data set has no labels there"
            );
            return error("last", message);
        }
        let count = self.batches(order.len());
        if batches.end > count {
            return error("batches", format!("found {batches:?}, but there are {count}"));
        }
        if let Some(index) = order.indices().find(|&index| index >= data.len()) {
            let message = format!(
                "item {index} of {}; make the order of as many items as the data set has",
                data.len()
            );
            return error("order", message);
        }
        Ok(())
    }
}

/// What threads need to read batches.
struct Work<'l, D: ?Sized> {
    loader: &'l Loader,
    data: &'l D,
    order: &'l Order,
}

impl<D: Dataset + ?Sized> Work<'_, D> {
    /// Fills a batch with what batch number `number` has.
    fn read(&self, number: usize, batch: &mut Batch) -> Result<()> {
        let Loader { batch_size, last, skip_damaged, .. } = *self.loader;
        let first = number * batch_size;
        let samples = batch_size.min(self.order.len() - first);
        let rows = if last == Last::Short { samples } else { batch_size };
        batch.begin(number, samples, rows);
        for row in 0..rows {
            let item = self.order.item((first + row) % self.order.len());
            let (mut read, mut tries) = (item, 0);
            while let Err(error) = batch.read(self.data, row, read) {
                tries += 1;
                if !skip_damaged || tries == self.data.len() {
                    return Err(error);
                }
                batch.damaged(read, error);
                read = (read + 1) % self.data.len();
            }
            batch.indices.push(read);
        }
        if let Last::Pad(field) = last {
            batch.ignore_from(field, samples);
        }
        Ok(())
    }
}
