//! Parts of data sets: every item once, each class its share, the same with the same seed.

use super::{all, refused};
use std::collections::BTreeMap;
use wgrad::data::{Dataset, Field, Images, Subset, Tensors, split};
use wgrad::{DType, HostData};

/// Data sets of generated sizes and classes, some without labels.
fn generated(case: u64) -> Tensors {
    let random = |i: u64| (case * 1_000_003 + i).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    let items = 2 + random(0) as usize % 200;
    let classes = 1 + random(1) % 9;
    // Uneven: most items are of the first classes.
    let labels: Vec<i32> =
        (0..items as u64).map(|i| (random(i + 2) % (1 + random(i + 99) % classes)) as i32).collect();
    let name = if case.is_multiple_of(5) { "target" } else { "label" };
    let numbers = (0..items as i32).collect();
    Tensors::new([
        (Field::new("number", [0; 0], DType::I32), HostData::I32(numbers)),
        (Field::new(name, [0; 0], DType::I32), HostData::I32(labels)),
    ])
    .unwrap()
}

fn classes(data: &impl Dataset) -> BTreeMap<Option<usize>, f64> {
    let mut counts = BTreeMap::new();
    (0..data.len()).for_each(|index| *counts.entry(data.label(index)).or_default() += 1.0);
    counts
}

#[test]
fn each_item_is_in_one_part_and_each_class_gives_its_share() {
    for case in 0..300 {
        let data = generated(case);
        let fraction = [0.1, 0.2, 0.5, 0.37, 0.9][case as usize % 5];
        let wanted = (fraction * data.len() as f64).round() as usize;
        if wanted == 0 || wanted == data.len() {
            refused(split(&data, fraction, case), &["fraction"]);
            continue;
        }
        let (train, validation) = split(&data, fraction, case).unwrap();
        assert_eq!(validation.len(), wanted, "{case}");
        assert!(train.indices().is_sorted() && validation.indices().is_sorted());
        let mut both = [train.indices(), validation.indices()].concat();
        both.sort_unstable();
        assert_eq!(both, (0..data.len()).collect::<Vec<_>>());
        let given = classes(&validation);
        for (class, count) in classes(&data) {
            let share = given.get(&class).copied().unwrap_or_default();
            assert!(
                (share - fraction * count).abs() < 1.0,
                "case {case}, class {class:?}: {share} of {count}"
            );
        }
    }
}

#[test]
fn a_split_follows_from_its_seed() {
    let data = Images::new(vec![0; 1000], [0, 1, 2, 3].repeat(250), 1, 1, 4).unwrap();
    let of = |seed| split(&data, 0.3, seed).unwrap().1.indices().to_vec();
    assert_eq!(of(5), of(5));
    assert_ne!(of(5), of(6));
    // With 250 of each class, halves of the items taken at random are nearly even.
    let early = of(7).iter().filter(|&&index| index < 500).count();
    assert!((110..190).contains(&early), "{early} of 300 are in the first half");
}

#[test]
fn a_subset_reads_chosen_items() {
    let data = Images::new((0..6).collect(), vec![0, 1, 2, 0, 1, 2], 1, 1, 3)
        .unwrap()
        .with_class_names(["x", "y", "z"])
        .unwrap();
    let part = Subset::new(&data, vec![4, 0, 4]).unwrap();
    assert_eq!(all(&part, |batch| Ok(batch.u8("image")?.to_vec())).unwrap(), [4, 0, 4]);
    assert_eq!((part.label(0), part.label(3), part.class_names()), (Some(1), None, data.class_names()));
    let inner = Subset::new(part, vec![1]).unwrap();
    assert_eq!((inner.len(), inner.label(0)), (1, Some(0)));
    refused(Subset::new(&data, vec![6]), &["indices", "found 6, but the data set has 6 items"]);
    refused(data.clone().with_class_names(["x"]), &["found 1 names, expected one for each of 3 classes"]);
    for fraction in [0.0, 1.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
        refused(split(&data, fraction, 0), &["fraction"]);
    }
}
