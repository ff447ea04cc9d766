//! Tensors in host memory as a data set: signals, pairs, tables.

use super::dataset::{Column, Dataset, Field, Item, Kind};
use crate::error::{Error, Result};

/// Items in host memory, with any fields.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::{Column, Dataset, Field, Kind, Tensors};
///
/// // 20 signals of two channels and 100 samples, and a class for each.
/// let signals = Field::new("signal", [2, 100], Kind::F32);
/// let labels = Field::new("label", [0; 0], Kind::I32);
/// let data = Tensors::new([
///     (signals, Column::F32(vec![0.5; 20 * 2 * 100])),
///     (labels, Column::I32([0, 1].repeat(10))),
/// ])?
/// .with_class_names(["rest", "walk"]);
/// assert_eq!((data.len(), data.label(3)), (20, Some(1)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Tensors {
    fields: Vec<Field>,
    columns: Vec<Column>,
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
    pub fn new(fields: impl IntoIterator<Item = (Field, Column)>) -> Result<Tensors> {
        let error = |message: String| Err(Error::Setting { setting: "fields", message });
        let (fields, columns): (Vec<Field>, Vec<Column>) = fields.into_iter().unzip();
        let mut items = None;
        for (at, (field, column)) in fields.iter().zip(&columns).enumerate() {
            let (name, size) = (&field.name, field.shape.elements());
            if fields[..at].iter().any(|other| other.name == *name) {
                return error(format!("there are two of the name \"{name}\""));
            }
            if field.kind != column.kind() {
                return error(format!(
                    "\"{name}\" is of {:?}, but its contents of {:?}",
                    field.kind,
                    column.kind()
                ));
            }
            let length = column.len();
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
    pub fn column(&self, name: &str) -> Option<&Column> {
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
                Column::F32(all) => item.f32(name)?.copy_from_slice(&all[of_item]),
                Column::I32(all) => item.i32(name)?.copy_from_slice(&all[of_item]),
                Column::U8(all) => item.u8(name)?.copy_from_slice(&all[of_item]),
            }
        }
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        let at = self.fields.iter().position(|field| field.name == "label")?;
        match &self.columns[at] {
            Column::I32(labels) if self.fields[at].kind == Kind::I32 && labels.len() == self.items => {
                usize::try_from(*labels.get(index)?).ok()
            }
            _ => None,
        }
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }
}
