//! Where a tensor's numbers are in a file, and how they are read in the order of its shape.

use super::contents::Contents;
use super::{Checkpoint, Metadata};
use crate::error::Result;
use crate::file::printable_path;
use crate::memory;
use safetensors::tensor::Dtype;
use std::collections::BTreeMap;

/// A view whose numbers are spread over more than so many times their own bytes is read number by number.
const SPREAD: u64 = 8;

/// What a file says that it holds. Every tensor lies within the file.
#[derive(Default)]
pub(super) struct Listing {
    pub tensors: BTreeMap<String, Stored>,
    /// Tensors of the file that are not part of its state dict.
    pub unlisted: usize,
    /// The checkpoint's metadata, if it is one.
    pub checkpoint: Option<Checkpoint>,
    /// What the file says of the network.
    pub metadata: Metadata,
}

/// A tensor of a file.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub dtype: Dtype,
    pub shape: Box<[usize]>,
    /// Distances between neighbours along each axis, in elements. `None` if the elements follow each other.
    pub strides: Option<Box<[u64]>>,
    /// Number of the file, where there are several.
    pub file: usize,
    /// First byte in the file.
    pub at: u64,
}

impl Stored {
    /// Reads the elements in the order of the shape, `each` bytes for one. `bytes` holds all of them.
    pub(super) fn read(&self, file: &Contents<'_>, each: usize, bytes: &mut [u8]) -> Result<()> {
        let Some(strides) = self.strides.as_deref().filter(|_| !bytes.is_empty()) else {
            return file.read_exact(self.at, bytes);
        };
        let last: u64 =
            self.shape.iter().zip(strides).map(|(&size, stride)| (size as u64 - 1) * stride).sum();
        let span = (last + 1) * each as u64;
        if span > SPREAD.saturating_mul(bytes.len() as u64) {
            return self.walk(strides, bytes.chunks_exact_mut(each), |from, element| {
                file.read_exact(self.at + from * each as u64, element)
            });
        }
        let what = format!("a tensor of {}", printable_path(&file.path));
        let mut held = memory::filled(span as usize, 0u8, &what)?;
        file.read_exact(self.at, &mut held)?;
        self.walk(strides, bytes.chunks_exact_mut(each), |from, element| {
            element.copy_from_slice(&held[from as usize * each..][..each]);
            Ok(())
        })
    }

    /// Calls `take` with the place of each element, in the order of the shape.
    fn walk<'b>(
        &self,
        strides: &[u64],
        elements: impl Iterator<Item = &'b mut [u8]>,
        mut take: impl FnMut(u64, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        let (mut index, mut from) = (vec![0; strides.len()], 0);
        for element in elements {
            take(from, element)?;
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                from += strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                from -= strides[axis] * self.shape[axis] as u64;
                index[axis] = 0;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::contents::Origin;
    use super::*;

    #[test]
    fn views_are_read_in_the_order_of_their_shape() {
        let bytes: Vec<u8> = (0..200).collect();
        let file = Contents::open(Origin::Bytes(&bytes)).expect("memory can be read");
        for (shape, strides, at, expected) in [
            (&[2, 3][..], None, 5, vec![5, 6, 7, 8, 9, 10]),
            (&[2, 3], Some(&[1, 2][..]), 5, vec![5, 7, 9, 6, 8, 10]),
            (&[2, 3], Some(&[0, 1]), 5, vec![5, 6, 7, 5, 6, 7]),
            (&[3, 1, 2], Some(&[60, 9, 0]), 1, vec![1, 1, 61, 61, 121, 121]),
            (&[], Some(&[]), 7, vec![7]),
        ] {
            let strides = strides.map(Into::into);
            let stored = Stored { dtype: Dtype::U8, shape: shape.into(), strides, file: 0, at };
            let mut found = vec![0; expected.len()];
            stored.read(&file, 1, &mut found).expect("it lies within the file");
            assert_eq!(found, expected, "{shape:?}");
        }
    }
}
