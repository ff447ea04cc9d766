//! Parts of a data set: chosen items, and a part to train with beside one to validate with.

use super::dataset::{Dataset, Field, Item};
use crate::error::{Error, Result};
use crate::memory;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Chosen items of a data set, in a given order. PyTorch's `Subset`.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::{Dataset, Images, Subset};
///
/// let data = Images::new(vec![0; 10], vec![0, 1].repeat(5), 1, 1, 2)?;
/// let first = Subset::new(&data, vec![0, 1, 2])?;
/// assert_eq!((first.len(), first.label(1)), (3, Some(1)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Subset<D> {
    data: Arc<D>,
    indices: Vec<usize>,
}

impl<D> Clone for Subset<D> {
    /// Copies the indices; the data set is shared.
    fn clone(&self) -> Self {
        Subset { data: Arc::clone(&self.data), indices: self.indices.clone() }
    }
}

impl<D: Dataset> Subset<D> {
    /// The items of these indices, which may repeat.
    ///
    /// # Errors
    /// An index past the last item.
    pub fn new(data: D, indices: Vec<usize>) -> Result<Self> {
        if let Some(index) = indices.iter().find(|&&index| index >= data.len()) {
            let message = format!("found {index}, but the data set has {} items", data.len());
            return Err(Error::Setting { setting: "indices", message });
        }
        Ok(Subset { data: Arc::new(data), indices })
    }

    /// The whole data set.
    pub fn data(&self) -> &D {
        &self.data
    }

    /// For each item its index in the whole data set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn fields(&self) -> &[Field] {
        self.data.fields()
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        match self.indices.get(index) {
            Some(&index) => self.data.read(index, item),
            None => {
                let message = format!("item {index} of {}", self.indices.len());
                Err(Error::Setting { setting: "index", message })
            }
        }
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.data.label(*self.indices.get(index)?)
    }

    fn class_names(&self) -> &[String] {
        self.data.class_names()
    }
}

/// Splits a data set at random into a part to train with and one to validate with, which gets `fraction` of the items.
///
/// Where all items have labels, the split is stratified: each class gives the same fraction, to within one item. The
/// split depends on `seed` and the labels alone. Both parts keep the data set's order and class names.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::{Dataset, Images, split};
///
/// let data = Images::new(vec![0; 10], vec![0, 1].repeat(5), 1, 1, 2)?;
/// let (train, validation) = split(data, 0.2, 42)?;
/// assert_eq!((train.len(), validation.len()), (8, 2));
/// assert_ne!(validation.label(0), validation.label(1));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// A fraction that leaves a part without items; not enough host memory.
pub fn split<D: Dataset>(data: D, fraction: f64, seed: u64) -> Result<(Subset<D>, Subset<D>)> {
    let items = data.len();
    let wanted = (fraction * items as f64).round();
    if !(wanted >= 1.0 && wanted < items as f64) {
        let message = format!(
            "found {fraction}, which is {wanted} of {items} items; expected a fraction that leaves both parts some"
        );
        return Err(Error::Setting { setting: "fraction", message });
    }
    let mut classes = by_class(&data)?;
    let mut chosen = Vec::new();
    memory::reserve(&mut chosen, items, "a split's items")?;
    chosen.resize(items, false);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let counts = shares(&classes.iter().map(Vec::len).collect::<Vec<_>>(), fraction, wanted as usize);
    for (members, count) in classes.iter_mut().zip(counts) {
        members.shuffle(&mut rng);
        members[..count].iter().for_each(|&index| chosen[index] = true);
    }
    let data = Arc::new(data);
    let part = |validation: bool| {
        let indices = (0..items).filter(|&index| chosen[index] == validation).collect();
        Subset { data: Arc::clone(&data), indices }
    };
    Ok((part(false), part(true)))
}

/// The items of each class; all of them together if some have none.
fn by_class(data: &impl Dataset) -> Result<Vec<Vec<usize>>> {
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in 0..data.len() {
        let Some(label) = data.label(index) else { return Ok(vec![(0..data.len()).collect()]) };
        let members = classes.entry(label).or_default();
        memory::reserve(members, 1, "a class's items")?;
        members.push(index);
    }
    Ok(classes.into_values().collect())
}

/// How many items each class gives, `total` together: the fraction rounded down, and one more for those that lose most
/// by it.
fn shares(sizes: &[usize], fraction: f64, total: usize) -> Vec<usize> {
    let exact = |size: usize| fraction * size as f64;
    let mut counts: Vec<usize> = sizes.iter().map(|&size| (exact(size) as usize).min(size)).collect();
    let mut by_loss: Vec<usize> = (0..sizes.len()).collect();
    // A stable sort: among equals the first classes come first.
    by_loss.sort_by(|&a, &b| exact(sizes[b]).fract().total_cmp(&exact(sizes[a]).fract()));
    let mut missing = total.saturating_sub(counts.iter().sum());
    for class in by_loss {
        if missing > 0 && counts[class] < sizes[class] {
            counts[class] += 1;
            missing -= 1;
        }
    }
    counts
}
