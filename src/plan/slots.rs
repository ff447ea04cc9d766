//! Packs values into slots by lifetime: values that are not alive at the same time share memory.
//!
//! A slot is a buffer, and there are several, because one dispatch can't bind a buffer for reading and another part
//! of it for writing. Within a slot a value lies where the values alive at the same time leave room. Lifetimes
//! include both ends.

mod by_time;

use crate::op::ALIGNMENT;
use crate::shader::Access;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A piece of memory, the dispatches that use it, and the first and last dispatch of its life, inclusive.
#[derive(Clone, Debug)]
pub(crate) struct Lifetime {
    bytes: u64,
    first: usize,
    last: usize,
    uses: Vec<(usize, Access)>,
}

impl Lifetime {
    pub(super) fn new(bytes: u64) -> Self {
        Lifetime { bytes, first: usize::MAX, last: 0, uses: Vec::new() }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Notes a use by dispatch `at`.
    pub(super) fn touch(&mut self, at: usize, access: Access) {
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.uses.push((at, access));
    }

    /// Keeps it alive until dispatch `at`.
    pub(super) fn keep_until(&mut self, at: usize) {
        self.last = self.last.max(at);
    }

    /// The same life on a coarser clock: dispatch `i` is at time `times[i]`.
    pub(super) fn at(&self, times: &[usize]) -> Lifetime {
        let time = |at: usize| times.get(at).copied().unwrap_or(at);
        Lifetime {
            bytes: self.bytes,
            first: time(self.first),
            last: time(self.last),
            uses: self.uses.iter().map(|&(at, access)| (time(at), access)).collect(),
        }
    }

    fn overlaps(&self, other: &Lifetime) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Dispatches during which it is alive.
    fn length(&self) -> u128 {
        (self.last - self.first + 1) as u128
    }

    /// Bytes with padding, so that the next piece can be bound where this one ends.
    fn room(&self) -> u64 {
        self.bytes.next_multiple_of(ALIGNMENT)
    }
}

/// Slot and offset of each lifetime, and the bytes of each slot.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Packing {
    pub places: Vec<(usize, u64)>,
    pub bytes: Vec<u64>,
}

/// Rounds in which each order is improved.
const ROUNDS: usize = 8;

/// Comparisons that the search may take, a fraction of a second. The search grows with the square of the number of
/// values; this is enough for two thousand.
const EFFORT: u64 = 1 << 26;

/// The best of several greedy packings. Of equals it is the first, so the result is the same every time. No slot
/// grows past `most` bytes by sharing.
///
/// Each order is improved for some rounds: lifetimes that end at the top of their slot get their turn earlier. With
/// so many lifetimes that this would take long, the search ends early, and a packing by time competes.
pub(crate) fn pack(lifetimes: &[Lifetime], most: u64) -> Packing {
    type Key = (Reverse<u128>, usize);
    let size = |l: &Lifetime| -> Key { (Reverse(l.bytes.into()), l.first) };
    let area = |l: &Lifetime| -> Key { (Reverse(u128::from(l.bytes) * l.length()), l.first) };
    let death = |l: &Lifetime| -> Key { (Reverse(l.last as u128), l.first) };
    let orders: [fn(&Lifetime) -> Key; 3] = [size, area, death];
    let mut best: Option<Packing> = None;
    let mut effort = EFFORT;
    'search: for key in orders {
        // Values that no dispatch binds take no memory.
        let mut order: Vec<usize> = (0..lifetimes.len()).filter(|&i| !lifetimes[i].uses.is_empty()).collect();
        order.sort_by_key(|&i| key(&lifetimes[i]));
        for _ in 0..ROUNDS {
            let Some(packing) = pack_in_order(lifetimes, &order, most, &mut effort) else { break 'search };
            let tops = |i: usize| {
                let (slot, offset) = packing.places[i];
                offset + lifetimes[i].bytes == packing.bytes[slot]
            };
            let mut turns: Vec<(usize, usize)> = order
                .iter()
                .enumerate()
                .map(|(turn, &i)| (if tops(i) { turn } else { 2 * turn + 1 }, i))
                .collect();
            // The sort is stable, so the rest stays in order.
            turns.sort_by_key(|&(turn, _)| turn);
            order = turns.into_iter().map(|(_, i)| i).collect();
            if best.as_ref().is_none_or(|best| packing.total() < best.total()) {
                best = Some(packing);
            }
        }
    }
    match best {
        Some(best) if effort > 0 => best,
        best => {
            let by_time = by_time::pack(lifetimes, most);
            best.filter(|best| best.total() <= by_time.total()).unwrap_or(by_time)
        }
    }
}

impl Packing {
    /// Bytes of all slots.
    pub(super) fn total(&self) -> u64 {
        self.bytes.iter().sum()
    }
}

/// Gives each lifetime in turn the place where the slots grow least, and of those the one that leaves the smallest
/// gap. `None` once `effort` is spent.
fn pack_in_order(lifetimes: &[Lifetime], order: &[usize], most: u64, effort: &mut u64) -> Option<Packing> {
    let mut places = vec![(0, 0); lifetimes.len()];
    let mut slots: Vec<Slot> = Vec::new();
    for &i in order {
        let lifetime = &lifetimes[i];
        let held: usize = slots.iter().map(|slot| slot.held.len() + lifetime.uses.len()).sum();
        *effort = effort.saturating_sub(held as u64);
        if *effort == 0 {
            return None;
        }
        let best = (0..slots.len())
            .filter(|&s| slots[s].takes(lifetime))
            .map(|s| (slots[s].fit(lifetimes, lifetime), s))
            .filter(|(fit, _)| {
                fit.growth <= lifetime.room() && fit.offset.saturating_add(lifetime.bytes) <= most
            })
            .min();
        let (offset, s) = best.map_or((0, slots.len()), |(fit, s)| (fit.offset, s));
        if s == slots.len() {
            slots.push(Slot::default());
        }
        slots[s].hold(lifetimes, i, offset);
        places[i] = (s, offset);
    }
    Some(Packing { places, bytes: slots.iter().map(|slot| slot.bytes).collect() })
}

/// A slot that is being filled.
#[derive(Default)]
struct Slot {
    bytes: u64,
    /// Lifetimes in it and their offsets.
    held: Vec<(usize, u64)>,
    /// Dispatches that read or write any of them.
    read: BTreeSet<usize>,
    written: BTreeSet<usize>,
}

/// A place in a slot. Better ones sort first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    /// Bytes that the slot grows by.
    growth: u64,
    /// Bytes left of the gap.
    rest: u64,
    offset: u64,
}

impl Slot {
    /// Whether no dispatch would write to the slot and use another part of it.
    fn takes(&self, lifetime: &Lifetime) -> bool {
        lifetime.uses.iter().all(|(at, access)| {
            !self.written.contains(at) && (*access == Access::Read || !self.read.contains(at))
        })
    }

    /// The best place for the lifetime among those that are alive at the same time.
    fn fit(&self, lifetimes: &[Lifetime], lifetime: &Lifetime) -> Fit {
        let mut taken: Vec<(u64, u64)> = self
            .held
            .iter()
            .filter(|(other, _)| lifetime.overlaps(&lifetimes[*other]))
            .map(|&(other, offset)| (offset, offset + lifetimes[other].room()))
            .collect();
        taken.sort_unstable();
        let room = lifetime.room();
        let mut free = 0;
        let mut fits = Vec::new();
        for (start, end) in taken {
            if start >= free + room {
                fits.push(Fit { growth: 0, rest: start - free - room, offset: free });
            }
            free = free.max(end);
        }
        let end = free + lifetime.bytes;
        let growth = end.saturating_sub(self.bytes);
        fits.push(Fit { growth, rest: self.bytes.saturating_sub(end), offset: free });
        fits.into_iter().min().expect("there is room at the end")
    }

    fn hold(&mut self, lifetimes: &[Lifetime], i: usize, offset: u64) {
        self.bytes = self.bytes.max(offset + lifetimes[i].bytes);
        self.held.push((i, offset));
        self.note_uses(&lifetimes[i]);
    }

    fn note_uses(&mut self, lifetime: &Lifetime) {
        for &(at, access) in &lifetime.uses {
            let users = if access == Access::Read { &mut self.read } else { &mut self.written };
            users.insert(at);
        }
    }
}

/// The least memory any packing needs: the most bytes alive at one dispatch.
pub(crate) fn lower_bound(lifetimes: &[Lifetime]) -> u64 {
    changes(lifetimes).map(|(_, alive)| alive).max().unwrap_or(0)
}

/// The bytes alive from each dispatch on at which that changes, in order.
pub(super) fn changes(lifetimes: &[Lifetime]) -> impl Iterator<Item = (usize, u64)> {
    // By dispatch: bytes whose life begins, and bytes whose life ended before.
    let mut changes: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for lifetime in lifetimes.iter().filter(|lifetime| !lifetime.uses.is_empty()) {
        changes.entry(lifetime.first).or_default().0 += lifetime.bytes;
        changes.entry(lifetime.last + 1).or_default().1 += lifetime.bytes;
    }
    changes.into_iter().scan(0, |alive, (at, (born, died))| {
        *alive = *alive + born - died;
        Some((at, *alive))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by one dispatch, read by some later ones.
    fn lifetime(bytes: u64, written: usize, read: &[usize]) -> Lifetime {
        let mut lifetime = Lifetime::new(bytes);
        lifetime.touch(written, Access::Write);
        read.iter().for_each(|&at| lifetime.touch(at, Access::Read));
        lifetime
    }

    /// A network's values: each read by the next step, some kept for a backward pass of the same length.
    fn network(steps: usize, seed: u64) -> Vec<Lifetime> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        (0..2 * steps)
            .map(|step| {
                let kept = step < steps && next(3) > 0;
                let read = [step + 1, if kept { 2 * steps - step } else { step + 1 }];
                lifetime(4 * (1 + next(10_000)), step, &read)
            })
            .collect()
    }

    /// Values alive at the same time don't overlap, and no dispatch reads and writes one slot.
    fn assert_sound(lifetimes: &[Lifetime], packing: &Packing, most: u64, seed: u64) {
        for (i, (a, &(slot, offset))) in lifetimes.iter().zip(&packing.places).enumerate() {
            assert_eq!(offset % ALIGNMENT, 0);
            assert!(offset + a.bytes <= packing.bytes[slot] && packing.bytes[slot] <= most);
            for (b, _) in lifetimes.iter().zip(&packing.places).skip(i + 1).filter(|(_, p)| p.0 == slot) {
                let uses = |l: &Lifetime, wanted| -> BTreeSet<usize> {
                    l.uses.iter().filter(|u| u.1 == wanted).map(|u| u.0).collect()
                };
                for (x, y) in [(a, b), (b, a)] {
                    let clash = uses(x, Access::Write);
                    assert!(clash.is_disjoint(&uses(y, Access::Read)), "seed {seed}");
                    assert!(clash.is_disjoint(&uses(y, Access::Write)), "seed {seed}");
                }
            }
            for (b, &(other, start)) in lifetimes.iter().zip(&packing.places).skip(i + 1) {
                let apart = offset + a.bytes <= start || start + b.bytes <= offset;
                assert!(other != slot || !a.overlaps(b) || apart, "seed {seed}: {i} overlaps another");
            }
        }
    }

    #[test]
    fn packings_are_sound_and_the_same_every_time() {
        for seed in 0..50 {
            let lifetimes = network(3 + seed as usize, seed);
            for pack in [pack, by_time::pack] {
                let packing = pack(&lifetimes, 60_000);
                assert_sound(&lifetimes, &packing, 60_000, seed);
                assert_eq!(packing, pack(&lifetimes, 60_000), "the same every time");
            }
        }
    }

    #[test]
    fn many_lifetimes_are_packed_nearly_as_well_in_a_time_that_grows_with_them() {
        let lifetimes = network(100_000, 1);
        let packing = pack(&lifetimes, u64::MAX);
        let (planned, least) = (packing.total(), lower_bound(&lifetimes));
        assert!(planned as f64 <= 1.25 * least as f64, "{planned} bytes where {least} are alive at once");
    }

    #[test]
    fn values_of_unequal_size_share_a_slot() {
        // While 0 is alive its slot is full; later 1 and 2, which no dispatch uses together, share it.
        let lifetimes = [
            lifetime(1024, 0, &[1]),
            lifetime(512, 3, &[6]),
            lifetime(512, 4, &[5]),
            lifetime(1024, 1, &[3]),
        ];
        let packing = pack(&lifetimes, u64::MAX);
        assert_eq!(packing.bytes.iter().sum::<u64>(), 2048);
        assert_eq!(lower_bound(&lifetimes), 2048);
    }

    #[test]
    fn what_nothing_binds_takes_no_memory() {
        let packing = pack(&[Lifetime::new(4096), lifetime(8, 0, &[1])], u64::MAX);
        assert_eq!(packing.bytes, [8]);
    }
}
