//! Packs lifetimes in the order in which they begin, like an allocator that knows what dispatches read and write. It
//! looks at each lifetime once, so plans can be long.

use super::{Lifetime, Packing, Slot};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Slots that are searched for room, the newest first. Several are needed when dispatches read and write many values,
/// or when a buffer may not grow.
const LOOKED_AT: usize = 64;

/// Gives each lifetime the tightest gap that is free when it begins.
pub(super) fn pack(lifetimes: &[Lifetime], most: u64) -> Packing {
    let mut order: Vec<usize> = (0..lifetimes.len()).filter(|&i| !lifetimes[i].uses.is_empty()).collect();
    order.sort_by_key(|&i| (lifetimes[i].first, Reverse(lifetimes[i].bytes), i));
    let mut places = vec![(0, 0); lifetimes.len()];
    let mut slots: Vec<(Slot, Room)> = Vec::new();
    // Lifetimes in memory, the first to end on top.
    let mut alive: BinaryHeap<Reverse<(usize, usize)>> = BinaryHeap::new();
    for i in order {
        let lifetime = &lifetimes[i];
        while let Some(&Reverse((last, dead))) = alive.peek()
            && last < lifetime.first
        {
            alive.pop();
            let (slot, offset): (usize, u64) = places[dead];
            slots[slot].1.free(offset, lifetimes[dead].room());
        }
        let looked_at = slots.iter().enumerate().rev().take(LOOKED_AT);
        let best = looked_at
            .filter(|(_, (slot, _))| slot.takes(lifetime))
            .map(|(s, (slot, room))| {
                let (offset, rest) = room.find(lifetime.room());
                let end = offset.saturating_add(lifetime.bytes);
                (end.saturating_sub(slot.bytes), rest, s, offset, end)
            })
            .filter(|&(.., end)| end <= most)
            .min();
        let (s, offset) = best.map_or((slots.len(), 0), |(_, _, s, offset, _)| (s, offset));
        if s == slots.len() {
            slots.push(Default::default());
        }
        let (slot, room) = &mut slots[s];
        room.take(offset, lifetime.room());
        slot.bytes = slot.bytes.max(offset + lifetime.bytes);
        slot.note_uses(lifetime);
        places[i] = (s, offset);
        alive.push(Reverse((lifetime.last, i)));
    }
    Packing { places, bytes: slots.iter().map(|(slot, _)| slot.bytes).collect() }
}

/// Free room in a slot at one time.
#[derive(Default)]
struct Room {
    /// Gaps by start, and by size.
    gaps: BTreeMap<u64, u64>,
    sizes: BTreeSet<(u64, u64)>,
    /// Everything from here on is free.
    top: u64,
}

impl Room {
    /// The tightest place for so many bytes, and the bytes left of its gap.
    fn find(&self, bytes: u64) -> (u64, u64) {
        let gap = self.sizes.range((bytes, 0)..).next();
        gap.map_or((self.top, u64::MAX), |&(size, start)| (start, size - bytes))
    }

    fn take(&mut self, offset: u64, bytes: u64) {
        match self.gaps.get(&offset).copied() {
            None => self.top = offset + bytes,
            Some(size) => {
                self.close(offset, size);
                self.open(offset + bytes, size - bytes);
            }
        }
    }

    fn free(&mut self, offset: u64, bytes: u64) {
        let (mut start, mut end) = (offset, offset + bytes);
        if let Some((&before, &size)) = self.gaps.range(..offset).next_back()
            && before + size == start
        {
            self.close(before, size);
            start = before;
        }
        if let Some(&size) = self.gaps.get(&end) {
            self.close(end, size);
            end += size;
        }
        if end == self.top {
            self.top = start;
        } else {
            self.open(start, end - start);
        }
    }

    fn open(&mut self, start: u64, size: u64) {
        if size > 0 {
            self.gaps.insert(start, size);
            self.sizes.insert((size, start));
        }
    }

    fn close(&mut self, start: u64, size: u64) {
        self.gaps.remove(&start);
        self.sizes.remove(&(size, start));
    }
}
