//! What a load took from a file and what it did not.

use crate::file::printable;
use crate::tensor::Shape;
use std::fmt;

/// A tensor that was loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LoadedTensor {
    /// Its name in the weights.
    pub name: String,
    /// Its name in the file.
    pub from: String,
    /// Its shape.
    pub shape: Shape,
    /// The element type in the file, such as `F16`.
    pub dtype: String,
    /// How many f64 were beyond the largest f32 and became infinite.
    pub overflowed: usize,
}

/// What [`Weights::load_with`](crate::Weights::load_with) took, and what it did not. Its `Display` is a table for
/// people: the tensors that did not fit one by one, and those that did by their first names.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LoadReport {
    /// Tensors that were loaded, by name.
    pub taken: Vec<LoadedTensor>,
    /// Tensors of the weights that the file lacks. They kept their contents.
    pub missing: Vec<String>,
    /// Tensors of the file that the weights lack, by their names in the file.
    pub left_over: Vec<String>,
    /// Tensors of the weights that a filter left out. They kept their contents.
    pub filtered: Vec<String>,
}

impl LoadReport {
    /// Whether the file had every tensor and no other.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.left_over.is_empty() && self.filtered.is_empty()
    }
}

/// Names that are shown of each list.
const SHOWN: usize = 20;

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "taken      {:>5} tensors", self.taken.len())?;
        let elements: u64 = self.taken.iter().map(|tensor| tensor.shape.elements() as u64).sum();
        write!(f, ", {elements} numbers")?;
        let mut dtypes: Vec<&str> = self.taken.iter().map(|tensor| tensor.dtype.as_str()).collect();
        dtypes.sort_unstable();
        dtypes.dedup();
        if !dtypes.is_empty() {
            write!(f, ", {}", dtypes.join(" and "))?;
        }
        let mut parts: Vec<(&str, usize)> = Vec::new();
        for tensor in &self.taken {
            let part = tensor.name.split('.').next().unwrap_or_default();
            match parts.iter_mut().find(|(name, _)| *name == part) {
                Some((_, count)) => *count += 1,
                None => parts.push((part, 1)),
            }
        }
        for (part, count) in parts.iter().take(SHOWN) {
            write!(f, "\n  {} ({count})", printable(part))?;
        }
        if parts.len() > SHOWN {
            write!(f, "\n  and {} more", parts.len() - SHOWN)?;
        }
        let renamed = self.taken.iter().filter(|tensor| tensor.name != tensor.from).count();
        if renamed > 0 {
            write!(f, "\nrenamed    {renamed:>5}")?;
        }
        for (what, names, why) in [
            ("missing", &self.missing, "not in the file, kept as they were"),
            ("left over", &self.left_over, "in the file and not in the network"),
            ("filtered", &self.filtered, "left out by a filter, kept as they were"),
        ] {
            if names.is_empty() {
                continue;
            }
            write!(f, "\n{what:<10} {:>5}, {why}", names.len())?;
            for name in names.iter().take(SHOWN) {
                write!(f, "\n  {}", printable(name))?;
            }
            if names.len() > SHOWN {
                write!(f, "\n  and {} more", names.len() - SHOWN)?;
            }
        }
        for tensor in self.taken.iter().filter(|tensor| tensor.overflowed > 0) {
            let name = printable(&tensor.name);
            write!(f, "\noverflowed {:>5} numbers of {name} became infinite in f32", tensor.overflowed)?;
        }
        Ok(())
    }
}
