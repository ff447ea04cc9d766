//! Items that know their number.

use super::dataset::{Dataset, Field, Item};
use crate::error::{Error, Result};
use crate::tensor::{DType, Shape};

/// A data set with one field more: each item's number, an i32 scalar. A graph that treats an item by its number needs it,
/// such as [`Augment::alternating_flip`](crate::nn::Augment::alternating_flip).
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::{Dataset, Images, Numbered};
///
/// let data = Numbered::new(Images::new(vec![0; 10], vec![0, 1].repeat(5), 1, 1, 2)?, "item")?;
/// let names: Vec<&str> = data.fields().iter().map(|field| field.name.as_str()).collect();
/// assert_eq!(names, ["image", "label", "item"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Numbered<D> {
    data: D,
    fields: Vec<Field>,
}

impl<D: Dataset> Numbered<D> {
    /// The items of `data`, with their numbers in a last field of this name.
    ///
    /// # Errors
    /// A name that one of the data set's fields has; more items than an i32 counts.
    pub fn new(data: D, name: &str) -> Result<Self> {
        let error = |message: String| Err(Error::Setting { setting: "numbered", message });
        if data.fields().iter().any(|field| field.name == name) {
            return error(format!("the data set has a field \"{name}\" already; choose another name"));
        }
        if i32::try_from(data.len()).is_err() {
            return error(format!("{} items are more than an i32 counts", data.len()));
        }
        let mut fields = data.fields().to_vec();
        fields.push(Field::new(name, Shape::scalar(), DType::I32));
        Ok(Numbered { data, fields })
    }

    /// The data set without numbers.
    pub fn data(&self) -> &D {
        &self.data
    }
}

impl<D: Dataset> Dataset for Numbered<D> {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        self.data.read(index, item)?;
        let name = &self.fields[self.fields.len() - 1].name;
        // The number of items fits.
        item.i32(name)?[0] = index as i32;
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.data.label(index)
    }

    fn class_names(&self) -> &[String] {
        self.data.class_names()
    }
}
