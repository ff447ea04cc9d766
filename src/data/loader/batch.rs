//! A batch: the fields of its items, in memory that is reused.

use crate::data::dataset::{Dataset, Field, Item, find};

use crate::error::{Error, Result};
use crate::memory;
use crate::tensor::{DType, HostData};

/// Items side by side, a column for each field.
#[derive(Debug)]
pub struct Batch {
    fields: Vec<Field>,
    columns: Vec<HostData>,
    number: usize,
    samples: usize,
    pub(super) indices: Vec<usize>,
    damaged: Vec<(usize, Error)>,
}

impl Batch {
    /// Memory for `size` items.
    pub(super) fn new(fields: &[Field], size: usize) -> Result<Batch> {
        let column = |field: &Field| {
            let what = format!("a batch of {size} x {} {}", field.name, field.shape);
            let elements = field.shape.elements().saturating_mul(size);
            Ok(match field.dtype {
                DType::F32 | DType::F16 => HostData::F32(memory::filled(elements, 0.0, &what)?),
                DType::I32 => HostData::I32(memory::filled(elements, 0, &what)?),
                DType::U32 => HostData::U32(memory::filled(elements, 0, &what)?),
                DType::U8 => HostData::U8(memory::filled(elements, 0, &what)?),
            })
        };
        let columns = fields.iter().map(column).collect::<Result<_>>()?;
        let (indices, damaged) = (Vec::new(), Vec::new());
        Ok(Batch { fields: fields.to_vec(), columns, number: 0, samples: 0, indices, damaged })
    }

    /// Begins batch number `number`, of so many rows.
    pub(super) fn begin(&mut self, number: usize, samples: usize, rows: usize) {
        (self.number, self.samples) = (number, samples);
        self.indices.clear();
        self.damaged.clear();
        for (field, column) in self.fields.iter().zip(&mut self.columns) {
            let elements = rows * field.shape.elements();
            match column {
                HostData::F32(data) => data.resize(elements, 0.0),
                HostData::I32(data) => data.resize(elements, 0),
                HostData::U32(data) => data.resize(elements, 0),
                HostData::U8(data) => data.resize(elements, 0),
            }
        }
    }

    /// Reads an item into a row.
    pub(super) fn read(&mut self, data: &(impl Dataset + ?Sized), row: usize, index: usize) -> Result<()> {
        data.read(index, &mut Item::new(&self.fields, &mut self.columns, row))
    }

    pub(super) fn damaged(&mut self, index: usize, error: Error) {
        self.damaged.push((index, error));
    }

    /// Gives the labels from row `first` on the one that counts nowhere.
    pub(super) fn ignore_from(&mut self, field: usize, first: usize) {
        let size = self.fields[field].shape.elements();
        if let HostData::I32(labels) = &mut self.columns[field] {
            labels[first * size..].fill(super::IGNORED_LABEL);
        }
    }

    /// The batch's number in its epoch, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Items that are neither repeated nor padding: fewer than the batch size only in the last batch.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Index of each row's item in the data set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// Items that could not be read, and why. Others stand in their places.
    pub fn damaged_items(&self) -> &[(usize, Error)] {
        &self.damaged
    }

    /// The fields' contents, in the order of [`Dataset::fields`].
    pub fn columns(&self) -> &[HostData] {
        &self.columns
    }
}

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident: $variant:ident, $element:ty;)*) => {
        impl Batch {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// A field that there is not, or of another element type.
            pub fn $name(&self, field: &str) -> Result<&[$element]> {
                match &self.columns[find(&self.fields, field, DType::$variant)?] {
                    HostData::$variant(data) => Ok(data),
                    _ => Ok(&[]),
                }
            }
        )*}
    };
}

typed! {
    /// A field of floats, row after row.
    f32: F32, f32;
    /// A field of integers, row after row.
    i32: I32, i32;
    /// A field of unsigned integers, row after row.
    u32: U32, u32;
    /// A field of bytes, row after row.
    u8: U8, u8;
}
