//! Groups: dispatches that a GPU may run at the same time.
//!
//! The GPU library tracks use by whole buffer. Within a compute pass it puts a barrier before a dispatch that binds a
//! buffer which the pass has used before, unless both only read it. A barrier waits for all earlier work. So a group
//! ends where a dispatch uses a buffer that the group has written, or writes one that it has used.
//!
//! A pass remembers a use beyond the barriers behind it, and would put another one into a group that uses the buffer
//! again. The first use in a pass costs nothing there. So a pass ends where its next group would fall apart.

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
        needs_none(&self.used, uses)
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

/// Whether a dispatch needs no barrier after these uses.
fn needs_none(used: &BTreeMap<Memory, Access>, uses: &[(Memory, Access)]) -> bool {
    uses.iter().all(|(memory, access)| match used.get(memory) {
        None => true,
        Some(before) => *before == Access::Read && *access == Access::Read,
    })
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

/// The fewest passes in which barriers fall between groups only.
fn passes(groups: &[Range<usize>], uses: &[Uses]) -> Vec<Range<usize>> {
    let mut passes: Vec<Range<usize>> = Vec::new();
    // The last use of each buffer in the pass.
    let mut used: BTreeMap<Memory, Access> = BTreeMap::new();
    for group in groups {
        used.extend(uses[group.start].iter().copied());
        let mut falls_apart = false;
        for uses in &uses[group.start + 1..group.end] {
            falls_apart |= !needs_none(&used, uses);
            used.extend(uses.iter().copied());
        }
        match passes.last_mut() {
            Some(pass) if !falls_apart => pass.end = group.end,
            _ => {
                passes.push(group.clone());
                used = uses[group.clone()].iter().flatten().copied().collect();
            }
        }
    }
    passes
}

/// The groups of a plan's dispatches, and its passes.
pub(super) fn groups_of(dispatches: &[Dispatch], arenas: &Arenas) -> [Vec<Range<usize>>; 2] {
    let memory = |place: Place| match place {
        Place::Owned { buffer, .. } => Memory::Buffer(buffer),
        Place::Stored { value, .. } => Memory::Page(arenas.places[&value].0),
    };
    let uses_of = |dispatch: &Dispatch| -> Uses {
        dispatch.bindings.iter().map(|binding| (memory(binding.place), binding.access)).collect()
    };
    let uses: Vec<Uses> = dispatches.iter().map(uses_of).collect();
    let groups = groups(uses.iter().map(Vec::as_slice));
    let passes = passes(&groups, &uses);
    [groups, passes]
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

    #[test]
    fn a_pass_ends_where_it_would_put_a_barrier_into_a_group() {
        let uses = |read: &[usize], written: usize| -> Uses {
            read.iter().map(|&b| (Buffer(b), Read)).chain([(Buffer(written), Write)]).collect()
        };
        // The last two can overlap. In one pass the last would wait, because the first has written what it reads.
        let dispatches = [uses(&[], 1), uses(&[], 2), uses(&[2], 3), uses(&[3], 4), uses(&[1], 5)];
        let groups = cut(&dispatches);
        assert_eq!(groups, [0..2, 2..3, 3..5]);
        assert_eq!(passes(&groups, &dispatches), [0..3, 3..5]);
        // Nothing waits for itself, so one pass is enough.
        let dispatches = [uses(&[], 1), uses(&[1], 2), uses(&[1, 2], 3)];
        let groups = cut(&dispatches);
        assert_eq!((groups.len(), passes(&groups, &dispatches).len()), (3, 1));
    }
}
