//! Groups: dispatches that a GPU may run at the same time.
//!
//! The GPU library tracks use by whole buffer. Within a compute pass it puts a barrier before a dispatch that binds a
//! buffer which the pass has used before, unless both only read it. A barrier waits for all earlier work. So a group
//! ends where a dispatch uses a buffer that the group has written, or writes one that it has used. A session gives each
//! group a pass of its own: within a pass there is then no barrier, and between two passes there is one at the most.

use super::{Arenas, Dispatch, Place};
use crate::shader::Access;
use std::collections::BTreeMap;
use std::ops::Range;

/// Memory whose use the GPU library tracks as a whole, or that may come to lie in such.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Memory {
    /// A value or scratch memory that needs a slot, by the number of its lifetime.
    Piece(usize),
    /// A slot.
    Slot(usize),
    /// A page of an arena.
    Page(usize),
    /// A buffer of the plan.
    Buffer(usize),
    /// The counts of the numerics watch.
    Counts,
}

/// What a dispatch uses and how.
pub(super) type Uses = Vec<(Memory, Access)>;

/// The dispatches of a group so far.
#[derive(Default)]
pub(super) struct Open {
    /// How they use memory.
    used: BTreeMap<Memory, Access>,
}

impl Open {
    /// Whether a dispatch needs no barrier in this group.
    pub(super) fn takes(&self, uses: &[(Memory, Access)]) -> bool {
        uses.iter().all(|(memory, access)| match self.used.get(memory) {
            None => true,
            Some(before) => *before == Access::Read && *access == Access::Read,
        })
    }

    /// Adds a dispatch, in a new group if this one does not take it. Returns whether it is a new one.
    pub(super) fn add(&mut self, uses: &[(Memory, Access)]) -> bool {
        let takes = self.takes(uses);
        if !takes {
            self.used.clear();
        }
        self.used.extend(uses.iter().copied());
        !takes
    }
}

/// Cuts dispatches into groups, in order.
pub(super) fn groups<'u>(uses: impl Iterator<Item = &'u [(Memory, Access)]>) -> Vec<Range<usize>> {
    let mut open = Open::default();
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, uses) in uses.enumerate() {
        let new = open.add(uses);
        match groups.last_mut() {
            Some(group) if !new => group.end = at + 1,
            _ => groups.push(at..at + 1),
        }
    }
    groups
}

/// The groups of a plan's dispatches.
pub(super) fn groups_of(dispatches: &[Dispatch], arenas: &Arenas) -> Vec<Range<usize>> {
    let memory = |place: Place| match place {
        Place::Owned { buffer, .. } => Memory::Buffer(buffer),
        Place::Stored { value, .. } => Memory::Page(arenas.places[&value].0),
    };
    let uses_of = |dispatch: &Dispatch| -> Uses {
        dispatch.bindings.iter().map(|binding| (memory(binding.place), binding.access)).collect()
    };
    let uses: Vec<Uses> = dispatches.iter().map(uses_of).collect();
    groups(uses.iter().map(Vec::as_slice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Access::{Read, Write};
    use Memory::Buffer;

    fn cut(uses: &[Uses]) -> Vec<Range<usize>> {
        groups(uses.iter().map(Vec::as_slice))
    }

    #[test]
    fn a_group_ends_where_a_buffer_is_written_and_used() {
        let makes = |read: usize, written: usize| vec![(Buffer(read), Read), (Buffer(written), Write)];
        // Two read what the first wrote; the last writes what they read.
        assert_eq!(cut(&[makes(0, 1), makes(1, 2), makes(1, 3), makes(2, 1)]), [0..1, 1..3, 3..4]);
        // Two that write one buffer.
        assert_eq!(cut(&[makes(0, 1), makes(0, 1)]), [0..1, 1..2]);
        // What an earlier group wrote may be read without a further barrier.
        assert_eq!(cut(&[makes(0, 1), makes(1, 2), makes(2, 3), makes(1, 4)]), [0..1, 1..2, 2..4]);
        assert_eq!(cut(&[]), [] as [Range<usize>; 0]);
    }
}
