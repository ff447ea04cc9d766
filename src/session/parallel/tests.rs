//! Tests of what needs no device.

use super::reduction::turns;

#[test]
fn a_rank_keeps_as_few_sums_as_the_tree_needs() {
    let told = |micro_batches: usize| -> Vec<(Option<usize>, Vec<usize>)> {
        turns(micro_batches).into_iter().map(|turn| (turn.save, turn.adds)).collect()
    };
    assert_eq!(told(1), [(None, vec![])]);
    // (0 + 1) + (2 + 3)
    let of_four = [(None, vec![]), (Some(0), vec![0]), (Some(0), vec![]), (Some(1), vec![1, 0])];
    assert_eq!(told(4), of_four);
    // (0 + 1) + 2
    assert_eq!(told(3), [(None, vec![]), (Some(0), vec![0]), (Some(0), vec![0])]);
}
