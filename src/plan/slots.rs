//! Packs values into slots by lifetime: values that are not alive together share one.
//!
//! A slot is a buffer of its own, because one dispatch can't bind a buffer for reading and
//! another part of it for writing. Lifetimes include both ends, so within one dispatch no input
//! shares a slot with an output.

/// A piece of memory and the dispatches between which it is alive, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    pub bytes: u64,
    pub first: usize,
    pub last: usize,
}

impl Lifetime {
    fn overlaps(&self, other: &Lifetime) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Slot of each lifetime, and the bytes of each slot.
pub(crate) struct Packing {
    pub slot: Vec<usize>,
    pub bytes: Vec<u64>,
}

/// Greedy by size: the largest first, each into the fullest-used slot that is free for its whole
/// life. Ties go by order of birth, so that the answer is the same every time.
pub(crate) fn pack(lifetimes: &[Lifetime]) -> Packing {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(lifetimes[i].bytes), lifetimes[i].first));
    let mut slot = vec![0; lifetimes.len()];
    let mut held: Vec<Vec<usize>> = Vec::new();
    let mut bytes: Vec<u64> = Vec::new();
    for i in order {
        let free = (0..held.len())
            .filter(|&s| held[s].iter().all(|&other| !lifetimes[i].overlaps(&lifetimes[other])))
            .min_by_key(|&s| (bytes[s], s));
        let chosen = free.unwrap_or_else(|| {
            held.push(Vec::new());
            bytes.push(lifetimes[i].bytes);
            held.len() - 1
        });
        held[chosen].push(i);
        slot[i] = chosen;
    }
    Packing { slot, bytes }
}

/// The least memory any packing needs: the most bytes alive at one dispatch.
pub(crate) fn lower_bound(lifetimes: &[Lifetime], dispatches: usize) -> u64 {
    (0..dispatches)
        .map(|d| lifetimes.iter().filter(|l| l.first <= d && d <= l.last).map(|l| l.bytes).sum())
        .max()
        .unwrap_or(0)
}
