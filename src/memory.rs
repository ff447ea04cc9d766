//! Allocates host memory whose size a user, a file or a graph decides. Lack of memory is an error, not a
//! panic.

use crate::error::{Error, Result};

/// Makes room for `more` elements. `what` names them in the error.
pub(crate) fn reserve<T>(list: &mut Vec<T>, more: usize, what: &str) -> Result<()> {
    // A new list takes exactly what it needs; one that grows may reserve more.
    let reserved = if list.is_empty() { list.try_reserve_exact(more) } else { list.try_reserve(more) };
    reserved.map_err(|_| Error::HostMemory {
        what: what.to_owned(),
        bytes: (more as u64).saturating_mul(size_of::<T>() as u64),
    })
}

/// A list of `count` copies of `value`.
pub(crate) fn filled<T: Copy>(count: usize, value: T, what: &str) -> Result<Vec<T>> {
    let mut list = Vec::new();
    reserve(&mut list, count, what)?;
    list.resize(count, value);
    Ok(list)
}
