//! Items that wait for an answer: their elements, one item after the other.

use crate::error::Result;
use crate::memory;
use crate::tensor::HostSlice;
use std::ops::Range;

/// Elements of items.
#[derive(Debug)]
pub(super) enum Items {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

impl Items {
    /// A copy of what was handed over, whose type was checked.
    pub(super) fn copied(items: HostSlice<'_>) -> Result<Items> {
        Ok(match items {
            HostSlice::F32(items) => Items::Floats(padded(items, items.len())?),
            other => Items::Bytes(padded(other.bytes(), other.bytes().len())?),
        })
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Items::Bytes(all) => all.len(),
            Items::Floats(all) => all.len(),
        }
    }

    pub(super) fn slice(&self, range: Range<usize>) -> HostSlice<'_> {
        match self {
            Items::Bytes(all) => HostSlice::U8(&all[range]),
            Items::Floats(all) => HostSlice::F32(&all[range]),
        }
    }

    /// These elements, with zeros behind them.
    pub(super) fn padded(&self, range: Range<usize>, elements: usize) -> Result<Items> {
        Ok(match self {
            Items::Bytes(all) => Items::Bytes(padded(&all[range], elements)?),
            Items::Floats(all) => Items::Floats(padded(&all[range], elements)?),
        })
    }

    /// All elements of several lists, which are of one type.
    pub(super) fn joined<'i>(lists: impl Iterator<Item = &'i Items> + Clone) -> Result<Items> {
        let (mut bytes, mut floats) = (Vec::new(), Vec::new());
        for list in lists {
            match list {
                Items::Bytes(all) => append(&mut bytes, all)?,
                Items::Floats(all) => append(&mut floats, all)?,
            }
        }
        Ok(if floats.is_empty() { Items::Bytes(bytes) } else { Items::Floats(floats) })
    }
}

fn append<T: Copy>(list: &mut Vec<T>, more: &[T]) -> Result<()> {
    memory::reserve(list, more.len(), "a batch")?;
    list.extend_from_slice(more);
    Ok(())
}

fn padded<T: Copy + Default>(data: &[T], elements: usize) -> Result<Vec<T>> {
    let mut all = memory::filled(elements, T::default(), "a batch")?;
    all[..data.len()].copy_from_slice(data);
    Ok(all)
}
