//! Tensors in host memory as a data set: signals, pairs, tables.

use super::dataset::{Dataset, Field, Item};

use crate::error::{Error, Result};
use crate::tensor::{DType, HostData, HostSlice};

/// Items in host memory, with any fields.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::{Dataset, Field, Tensors};
/// use wgrad::{DType, HostData};
///
/// // 20 signals of two channels and 100 samples, and a class for each.
/// let signals = Field::new("signal", [2, 100], DType::F32);
/// let labels = Field::new("label", [0; 0], DType::I32);
/// let data = Tensors::new([
///     (signals, HostData::F32(vec![0.5; 20 * 2 * 100])),
///     (labels, HostData::I32([0, 1].repeat(10))),
/// ])?
/// .with_class_names(["rest", "walk"]);
/// assert_eq!((data.len(), data.label(3)), (20, Some(1)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Tensors {
    fields: Vec<Field>,
    columns: Vec<HostData>,
    items: usize,
    class_names: Vec<String>,
}

impl Tensors {
    /// A data set of these fields, each with the contents of all items, one after the other. A field `label` of one
    /// integer is an item's class.
    ///
    /// # Errors
    /// No fields, two of one name, or one without elements; contents of another type or of no whole number of items;
    /// fields with different numbers of items.
    pub fn new(fields: impl IntoIterator<Item = (Field, HostData)>) -> Result<Tensors> {
        let error = |message: String| Err(Error::Setting { setting: "fields", message });
        let (fields, columns): (Vec<Field>, Vec<HostData>) = fields.into_iter().unzip();
        let mut items = None;
        for (at, (field, column)) in fields.iter().zip(&columns).enumerate() {
            let (name, size) = (&field.name, field.shape.elements());
            if fields[..at].iter().any(|other| other.name == *name) {
                return error(format!("there are two of the name \"{name}\""));
            }
            let contents = HostSlice::from(column);
            if field.dtype != contents.dtype() {
                let (wanted, found) = (field.dtype, contents.dtype());
                return error(format!("\"{name}\" is of {wanted}, but its contents of {found}"));
            }
            let length = contents.len();
            if size == 0 || length % size != 0 {
                let message =
                    format!("\"{name}\" has {length} elements, expected items of {} each", field.shape);
                return error(message);
            }
            let first = *items.get_or_insert(length / size);
            if first != length / size {
                let other = &fields[0].name;
                return error(format!("\"{name}\" has {} items, but \"{other}\" has {first}", length / size));
            }
        }
        match items {
            Some(items) => Ok(Tensors { fields, columns, items, class_names: Vec::new() }),
            None => error("there are none, expected at least one".into()),
        }
    }

    /// Gives the classes names, by label.
    #[must_use = "the method returns the changed value"]
    pub fn with_class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// All items' contents of the field of this name.
    pub fn column(&self, name: &str) -> Option<&HostData> {
        Some(&self.columns[self.fields.iter().position(|field| field.name == name)?])
    }
}

impl Dataset for Tensors {
    fn len(&self) -> usize {
        self.items
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        if index >= self.items {
            let message = format!("item {index} of {}", self.items);
            return Err(Error::Setting { setting: "index", message });
        }
        for (Field { name, shape, .. }, column) in self.fields.iter().zip(&self.columns) {
            let of_item = index * shape.elements()..(index + 1) * shape.elements();
            match column {
                HostData::F32(all) => item.f32(name)?.copy_from_slice(&all[of_item]),
                HostData::I32(all) => item.i32(name)?.copy_from_slice(&all[of_item]),
                HostData::U32(all) => item.u32(name)?.copy_from_slice(&all[of_item]),
                HostData::U8(all) => item.u8(name)?.copy_from_slice(&all[of_item]),
            }
        }
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        let at = self.fields.iter().position(|field| field.name == "label")?;
        match &self.columns[at] {
            HostData::I32(labels) if self.fields[at].dtype == DType::I32 && labels.len() == self.items => {
                usize::try_from(*labels.get(index)?).ok()
            }
            _ => None,
        }
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }
}
