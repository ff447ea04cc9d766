//! How items are divided among batches of a few sizes.

/// What it costs to start a step, in items: that of a small batch takes longer than its share of a large one's.
const START: usize = 4;

/// The sizes of the batches for so many items, the largest first. Only the last may have room left, which is padded.
pub(super) fn cut(items: usize, sizes: &[usize]) -> Vec<usize> {
    let Some(&largest) = sizes.iter().max() else { return Vec::new() };
    let mut batches = vec![largest; items / largest];
    // The cheapest batches for each remainder, and the first of them.
    let mut best = vec![(0, 0)];
    for left in 1..=items % largest {
        let cost = |&size: &usize| (size + START + best[left.saturating_sub(size)].0, size);
        best.push(sizes.iter().map(cost).min().unwrap_or_default());
    }
    let mut left = items % largest;
    let rest = batches.len();
    while left > 0 {
        batches.push(best[left].1);
        left = left.saturating_sub(best[left].1);
    }
    batches[rest..].sort_unstable_by(|a, b| b.cmp(a));
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_cut_into_few_batches() {
        let sizes = [1, 4, 16, 64];
        for (items, expected) in [
            (0, &[][..]),
            (1, &[1]),
            (2, &[4]),
            (4, &[4]),
            (5, &[4, 1]),
            (7, &[4, 4]),
            (11, &[16]),
            (17, &[16, 1]),
            (60, &[64]),
            (64, &[64]),
            (65, &[64, 1]),
            (200, &[64, 64, 64, 4, 4]),
        ] {
            assert_eq!(cut(items, &sizes), expected, "{items} items");
        }
    }

    /// Every item has a place, and only the last batch is padded.
    #[test]
    fn every_item_has_a_place() {
        for sizes in [&[1][..], &[3], &[7, 2], &[1, 5, 31], &[64, 16, 4, 1], &[5, 6, 7]] {
            for items in 0..200 {
                let batches = cut(items, sizes);
                assert!(batches.iter().all(|batch| sizes.contains(batch)));
                assert!(batches.is_sorted_by(|a, b| a >= b));
                let all: usize = batches.iter().sum();
                let last = batches.last().copied().unwrap_or(0);
                assert!(all >= items && all - last <= items.saturating_sub(1), "{items} in {batches:?}");
            }
        }
    }

    #[test]
    fn without_sizes_there_are_no_batches() {
        assert!(cut(3, &[]).is_empty());
    }
}
