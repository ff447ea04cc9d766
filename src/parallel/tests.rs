//! Sums over ranks against the tree that they have to follow, computed by itself.

use super::tree::{Join, Joins, rounds, shares};
use super::{Communicator, Threads, add, agree, gather, sum};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Numbers whose sums round differently in each order.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut number = || (random.random::<f32>() - 0.5) * [1e-3, 1.0, 37.0, 1e4][random.random_range(0..4)];
    (0..count).map(|_| number()).collect()
}

/// The sum of a range as the module's words say it: halves while the length is even, one after the other otherwise.
fn expected(parts: &[Vec<f32>]) -> Vec<f32> {
    let add = |a: Vec<f32>, b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| a + b).collect() };
    if parts.len().is_multiple_of(2) {
        let (low, high) = parts.split_at(parts.len() / 2);
        return add(expected(low), &expected(high));
    }
    let (first, rest) = parts.split_first().expect("there is one");
    rest.iter().fold(first.clone(), |sum, part| add(sum, part))
}

/// The sum of a rank's micro-batches as a device makes it: by a few sums that it keeps.
fn local(parts: &[Vec<f32>]) -> Vec<f32> {
    let (mut kept, mut next, joins) = (Vec::<Vec<f32>>::new(), parts.iter(), Joins::new(parts.len()));
    let depth = joins.depth();
    for join in joins {
        match join {
            Join::Next => kept.push(next.next().expect("one for each Next").clone()),
            Join::Add => {
                let last = kept.pop().expect("there are two");
                kept.last_mut().expect("there are two").iter_mut().zip(&last).for_each(|(a, b)| *a += b);
            }
        }
        assert!(kept.len() <= depth, "{} micro-batches keep {} sums", parts.len(), kept.len());
    }
    assert!(next.next().is_none() && kept.len() == 1);
    kept.remove(0)
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn a_rank_sums_its_micro_batches_in_the_order_of_the_tree() {
    for count in 1..=40 {
        let parts: Vec<_> = (0..count).map(|part| numbers(part as u64, 7)).collect();
        assert_eq!(bits(&local(&parts)), bits(&expected(&parts)), "{count} micro-batches");
    }
    assert_eq!(Joins::new(0).count(), 0);
}

#[test]
fn any_number_of_ranks_gives_the_bits_of_one() {
    for (micro_batches, elements) in [(8, 1), (8, 3), (16, 1000), (24, 17), (8, 0)] {
        let parts: Vec<_> = (0..micro_batches).map(|part| numbers(part as u64, elements)).collect();
        let one = bits(&expected(&parts));
        for ranks in [1, 2, 4, 8] {
            let found = Threads::run(ranks, |mut rank| {
                let own = shares(rank.rank(), rank.ranks(), parts.len())?;
                let mut data = local(&parts[own]);
                sum(&mut rank, &mut data)?;
                Ok(data)
            });
            let found = found.expect("all ranks answer");
            for (rank, sum) in found.iter().enumerate() {
                assert_eq!(bits(sum), one, "rank {rank} of {ranks}, {micro_batches} micro-batches");
            }
        }
    }
}

/// All ranks at once, round by round, without threads.
fn simulated(mut data: Vec<Vec<f32>>) -> (Vec<Vec<f32>>, usize) {
    let (ranks, elements) = (data.len(), data[0].len());
    let all: Vec<_> = (0..ranks).map(|rank| rounds(rank, ranks, elements).expect("a power of two")).collect();
    let mut sent = 0;
    for number in 0..all[0].len() {
        let before = data.clone();
        for (rank, rounds) in all.iter().enumerate() {
            let round = &rounds[number];
            let other = &all[round.partner][number];
            assert_eq!((other.partner, &other.send, &other.receive), (rank, &round.receive, &round.send));
            let came = &before[round.partner][other.send.clone()];
            for (own, &x) in data[rank][round.receive.clone()].iter_mut().zip(came) {
                *own = if round.adds { *own + x } else { x };
            }
            sent += usize::from(rank == 0) * round.send.len();
        }
    }
    (data, sent)
}

#[test]
fn a_thousand_ranks_sum_in_the_order_of_the_tree() {
    for (ranks, elements) in [(1024, 4099), (1024, 5), (512, 1), (2, 9), (1, 3)] {
        let parts: Vec<_> = (0..ranks).map(|part| numbers(part as u64, elements)).collect();
        let one = bits(&expected(&parts));
        let (found, sent) = simulated(parts);
        for (rank, sum) in found.iter().enumerate() {
            assert_eq!(bits(sum), one, "rank {rank} of {ranks}");
        }
        // 2 (1 - 1 / ranks) times the data, but for halves of odd lengths.
        let least = 2 * (elements - elements.div_ceil(ranks));
        assert!(sent <= least + 2 * ranks.ilog2() as usize, "{sent} elements sent, expected about {least}");
    }
}

#[test]
fn what_ranks_do_not_agree_on_is_an_error() {
    let message = |error: crate::Error| error.to_string();
    assert!(message(shares(0, 3, 6).unwrap_err()).contains("3 ranks, expected a power of two"));
    assert!(message(shares(0, 4, 6).unwrap_err()).contains("6 micro-batches can't be shared by 4 ranks"));
    assert!(message(rounds(4, 4, 1).unwrap_err()).contains("no rank 4 of 4"));
    assert!(message(Threads::new(0).unwrap_err()).contains("0 ranks"));

    let mut two = Threads::new(2).unwrap();
    let (mut one, zero) = (two.pop().unwrap(), two.pop().unwrap());
    let mut zero = zero.limit(std::time::Duration::from_millis(20));
    let stalled = message(sum(&mut zero, &mut [1.0, 2.0]).unwrap_err());
    assert!(stalled.contains("rank 1 sent nothing to rank 0 within 20ms"), "{stalled}");
    let other = message(sum(&mut one, &mut [1.0; 6]).unwrap_err());
    assert!(other.contains("rank 0 sent 1 elements, and rank 1 expected 3"), "{other}");
    drop(zero);
    let gone = message(sum(&mut one, &mut [1.0, 2.0]).unwrap_err());
    assert!(gone.contains("rank 0 is gone"), "{gone}");
    assert!(message(one.exchange(1, &[], &mut []).unwrap_err()).contains("no partner 1"));
}

#[test]
fn numbers_below_the_least_normal_one_are_zeros() {
    let least = f32::MIN_POSITIVE;
    for (a, b, expected) in [
        (least / 2.0, 1.0, 1.0),
        (least / 2.0, least / 2.0, 0.0),
        (1.5 * least, -least, 0.0),
        (least, least, 2.0 * least),
        (-least / 2.0, -0.0, -0.0),
        (f32::INFINITY, 1.0, f32::INFINITY),
    ] {
        assert_eq!(add(a, b).to_bits(), f32::to_bits(expected), "{a:e} + {b:e}");
    }
    assert!(add(f32::INFINITY, f32::NEG_INFINITY).is_nan() && add(f32::NAN, 0.0).is_nan());
}

#[test]
fn a_rank_that_differs_is_named_on_all_of_them() {
    let alike = [("seed", "42".to_owned()), ("graph", "x".repeat(1000))];
    Threads::run(4, |mut rank| agree(&mut rank, &alike)).expect("they are alike");
    let said = |items_of: &(dyn Fn(usize) -> Vec<(&'static str, String)> + Sync)| {
        let told = |mut rank: Threads| {
            let items = items_of(rank.rank());
            Ok(agree(&mut rank, &items).expect_err("a rank differs").to_string())
        };
        let mut told = Threads::run(4, told).expect("each has an error");
        told.dedup();
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    };
    let text = said(&|rank| vec![("seed", "42".into()), ("data set", format!("of {}", rank.min(2)))]);
    assert!(text.contains("rank 1 differs from rank 0 in data set: of 1 instead of of 0"), "{text}");
    // Only behind what is told.
    let text = said(&|rank| vec![("graph", format!("{}{}", "x".repeat(100), rank / 3))]);
    assert!(text.contains("rank 3 differs from rank 0 in graph"), "{text}");
    let text = said(&|rank| vec![("seed", String::new()); 1 + rank / 2]);
    assert!(text.contains("rank 2 compares other things than rank 0"), "{text}");
    Threads::run(1, |mut rank| agree(&mut rank, &alike)).expect("one agrees with itself");
}

#[test]
fn an_error_of_one_rank_is_the_one_that_is_told() {
    let error = Threads::run(4, |mut rank| match rank.rank() {
        2 => Err(crate::Error::Graph("the cause".into())),
        _ => sum(&mut rank, &mut [1.0]),
    });
    assert_eq!(error.unwrap_err().to_string(), "graph: the cause");
    let error = Threads::run(2, |rank| if rank.rank() == 1 { panic!("on purpose") } else { Ok(()) });
    assert!(error.unwrap_err().to_string().contains("panicked"));
}

#[test]
fn lists_are_gathered_in_the_order_of_ranks() {
    for ranks in [1, 2, 4, 8] {
        // Rank 1 has none.
        let list = |rank: usize| vec![rank as f32; if rank == 1 { 0 } else { rank + 1 }];
        let expected: Vec<f32> = (0..ranks).flat_map(list).collect();
        let all = Threads::run(ranks, |mut rank| {
            let own = list(rank.rank());
            gather(&mut rank, "numbers", &own)
        });
        assert!(all.expect("all answer").iter().all(|found| *found == expected), "{ranks} ranks");
    }
    assert!(Threads::run(3, |mut rank| gather(&mut rank, "numbers", &[])).is_err());
}

#[test]
fn ranks_that_do_different_things_are_told() {
    let told = Threads::run(2, |mut rank| {
        let error = match rank.rank() {
            0 => gather(&mut rank, "losses", &[1.0]).map(drop).unwrap_err(),
            _ => agree(&mut rank, &[("seed", "42".into())]).unwrap_err(),
        };
        Ok(error.to_string())
    });
    let told = told.expect("each has an error");
    assert!(told[0].contains("rank 0 exchanges losses and rank 1 something else"), "{told:?}");
    assert!(told[1].contains("rank 1 exchanges what has to be alike and rank 0 something else"), "{told:?}");
}
