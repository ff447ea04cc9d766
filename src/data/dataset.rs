//! What a data set is: items of a few fields, read by index.

use crate::error::{Error, Result};
use crate::tensor::{DType, HostData, HostSlice, Shape};
use std::sync::Arc;

/// A part that every item of a data set has, such as its image or its label.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Field {
    /// Its name, which is the name of the graph's input too.
    pub name: String,
    /// Its shape in one item, without a batch's dimension.
    pub shape: Shape,
    /// Its element type.
    pub dtype: DType,
}

impl Field {
    /// A field of this name, shape of one item, and element type.
    pub fn new(name: impl Into<String>, shape: impl Into<Shape>, dtype: DType) -> Self {
        Field { name: name.into(), shape: shape.into(), dtype }
    }
}

/// Items of a few fields, read by index: pictures with labels, signals, pairs. PyTorch's map-style data set.
///
/// ```
/// use wgrad::Result;
/// use wgrad::data::{Dataset, Field, Item};
/// use wgrad::{DType};
///
/// /// Sine waves, and which of two frequencies each has.
/// struct Waves([Field; 2]);
///
/// impl Waves {
///     fn new() -> Self {
///         Waves([Field::new("signal", [1, 64], DType::F32), Field::new("label", [0; 0], DType::I32)])
///     }
/// }
///
/// impl Dataset for Waves {
///     fn len(&self) -> usize {
///         1000
///     }
///
///     fn fields(&self) -> &[Field] {
///         &self.0
///     }
///
///     fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
///         let class = index % 2;
///         for (i, x) in item.f32("signal")?.iter_mut().enumerate() {
///             *x = (i as f32 * (class + 1) as f32 / 4.0 + index as f32).sin();
///         }
///         item.i32("label")?[0] = class as i32;
///         Ok(())
///     }
/// }
/// assert_eq!(Waves::new().len(), 1000);
/// ```
pub trait Dataset: Send + Sync {
    /// Number of items.
    fn len(&self) -> usize;

    /// Whether there are no items.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What an item consists of. A trainer takes the first field for a network's input, and the second for its target.
    fn fields(&self) -> &[Field];

    /// Writes the fields of item `index` to their places in a batch. Several threads call it at the same time.
    ///
    /// # Errors
    /// An item that can't be read; the error names its file.
    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()>;

    /// The class of item `index`, without reading the item; `None` where items have no class. Stratified splits need it.
    fn label(&self, _index: usize) -> Option<usize> {
        None
    }

    /// Names of the classes, by label; none where they have no names.
    fn class_names(&self) -> &[String] {
        &[]
    }
}

macro_rules! forwarded {
    ($($pointer:ty),*) => {$(
        /// The data set pointed to.
        impl<D: Dataset + ?Sized> Dataset for $pointer {
            fn len(&self) -> usize {
                (**self).len()
            }

            fn fields(&self) -> &[Field] {
                (**self).fields()
            }

            fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
                (**self).read(index, item)
            }

            fn label(&self, index: usize) -> Option<usize> {
                (**self).label(index)
            }

            fn class_names(&self) -> &[String] {
                (**self).class_names()
            }
        }
    )*};
}
forwarded!(&D, Box<D>, Arc<D>);

/// One item of a batch under construction: where its fields are written.
#[derive(Debug)]
pub struct Item<'b> {
    fields: &'b [Field],
    columns: &'b mut [HostData],
    row: usize,
}

impl<'b> Item<'b> {
    pub(super) fn new(fields: &'b [Field], columns: &'b mut [HostData], row: usize) -> Self {
        Item { fields, columns, row }
    }
}

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident: $variant:ident, $element:ty;)*) => {
        impl Item<'_> {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// A field that there is not, or of another element type.
            pub fn $name(&mut self, field: &str) -> Result<&mut [$element]> {
                let at = find(self.fields, field, DType::$variant)?;
                let size = self.fields[at].shape.elements();
                match &mut self.columns[at] {
                    HostData::$variant(all) => Ok(&mut all[self.row * size..][..size]),
                    other => Err(mistyped(field, HostSlice::from(&*other).dtype(), DType::$variant)),
                }
            }
        )*}
    };
}

typed! {
    /// The item's elements of a field of floats.
    f32: F32, f32;
    /// The item's elements of a field of integers.
    i32: I32, i32;
    /// The item's elements of a field of unsigned integers.
    u32: U32, u32;
    /// The item's elements of a field of bytes.
    u8: U8, u8;
}

/// The number of the field of this name, which has to have this element type.
pub(super) fn find(fields: &[Field], name: &str, dtype: DType) -> Result<usize> {
    let Some(at) = fields.iter().position(|field| field.name == name) else {
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let message = format!("there is no field \"{name}\"; there are {}", names.join(", "));
        return Err(Error::Setting { setting: "field", message });
    };
    if fields[at].dtype == dtype { Ok(at) } else { Err(mistyped(name, fields[at].dtype, dtype)) }
}

fn mistyped(name: &str, found: DType, asked: DType) -> Error {
    Error::Setting { setting: "field", message: format!("\"{name}\" holds {found}, asked for {asked}") }
}
