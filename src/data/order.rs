//! The order in which the items of a data set come.

use crate::error::{Error, Result};
use crate::memory;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

/// Indices of items in some order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order(Vec<u32>);

impl Order {
    /// All of `items` items as they stand.
    ///
    /// # Errors
    /// More items than 32 bits number; not enough host memory.
    pub fn sequential(items: usize) -> Result<Order> {
        let Ok(count) = u32::try_from(items) else {
            let message = format!("found {items} items, expected at most {}", u32::MAX);
            return Err(Error::Setting { setting: "items", message });
        };
        let mut order = Vec::new();
        memory::reserve(&mut order, items, "the order of items")?;
        order.extend(0..count);
        Ok(Order(order))
    }

    /// All of `items` items in an order that depends only on `seed` and `epoch`: rand's Fisher-Yates shuffle with
    /// ChaCha8 numbers, where the epoch selects the stream.
    ///
    /// # Errors
    /// As [`Order::sequential`].
    pub fn shuffled(items: usize, seed: u64, epoch: u64) -> Result<Order> {
        let mut order = Order::sequential(items)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(epoch);
        order.0.shuffle(&mut rng);
        Ok(order)
    }

    /// Of each of `batches` batches of `size` items, those at the places `part`, batch after batch: what one of several
    /// ranks reads. Past the end, the order begins again.
    ///
    /// # Errors
    /// An order without items; a part past the end of a batch; not enough host memory.
    pub fn share(&self, size: usize, batches: usize, part: std::ops::Range<usize>) -> Result<Order> {
        if self.is_empty() || part.end > size {
            let message = format!("places {part:?} of batches of {size} from {} items", self.len());
            return Err(Error::Setting { setting: "order", message });
        }
        let mut order = Vec::new();
        memory::reserve(&mut order, batches.saturating_mul(part.len()), "the order of items")?;
        let places = (0..batches).flat_map(|batch| part.clone().map(move |place| batch * size + place));
        order.extend(places.map(|place| self.0[place % self.len()]));
        Ok(Order(order))
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The item at place `at`.
    pub(super) fn item(&self, at: usize) -> usize {
        self.0[at] as usize
    }

    /// The indices.
    pub fn indices(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.0.iter().map(|&index| index as usize)
    }
}
