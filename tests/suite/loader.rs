//! The loader: which items a batch has follows from the order alone, memory is bounded, and what goes wrong is told.

use std::collections::BTreeSet;
use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use wgrad::data::{Dataset, Field, IGNORED_LABEL, Images, Item, Last, Loader, Order};
use wgrad::{DType, HostData};
use wgrad::{Error, Result};

/// Items that hold their own index in fields of all kinds.
struct Numbered {
    items: usize,
    fields: [Field; 3],
    /// The most reads at the same time, and those that go on.
    most: AtomicUsize,
    reading: AtomicUsize,
    bad: BTreeSet<usize>,
    panics: bool,
    threads: Mutex<BTreeSet<String>>,
}

impl Numbered {
    fn new(items: usize) -> Numbered {
        Numbered {
            items,
            fields: [
                Field::new("bytes", [3], DType::U8),
                Field::new("label", [0; 0], DType::I32),
                Field::new("floats", [2, 2], DType::F32),
            ],
            most: AtomicUsize::new(0),
            reading: AtomicUsize::new(0),
            bad: BTreeSet::new(),
            panics: false,
            threads: Mutex::new(BTreeSet::new()),
        }
    }
}

impl Dataset for Numbered {
    fn len(&self) -> usize {
        self.items
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        let now = 1 + self.reading.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(now, Ordering::SeqCst);
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        self.threads.lock().expect("no test panics under it").insert(thread);
        // Uneven work, so that threads overtake each other.
        std::thread::sleep(std::time::Duration::from_micros((index * 37 % 11) as u64 * 20));
        self.reading.fetch_sub(1, Ordering::SeqCst);
        if self.bad.contains(&index) {
            if self.panics {
                panic!("item {index}");
            }
            return Err(Error::Graph(format!("item {index} is damaged")));
        }
        item.u8("bytes")?.fill(index as u8);
        item.i32("label")?[0] = index as i32;
        for (i, x) in item.f32("floats")?.iter_mut().enumerate() {
            *x = index as f32 + i as f32 / 4.0;
        }
        Ok(())
    }
}

/// The labels of all batches.
fn labels(loader: &Loader, data: &Numbered, order: &Order) -> Result<Vec<Vec<i32>>> {
    let mut found = Vec::new();
    loader.run(data, order, 0..loader.batches(order.len()), |batch| {
        let labels = batch.i32("label")?.to_vec();
        assert_eq!(batch.number(), found.len());
        for (row, &label) in labels.iter().enumerate().take(batch.samples()) {
            assert_eq!(batch.indices()[row], label as usize);
            assert!(batch.u8("bytes")?[3 * row..][..3].iter().all(|&byte| byte == label as u8));
            assert_eq!(batch.f32("floats")?[4 * row + 3], label as f32 + 0.75);
        }
        found.push(labels);
        Ok(())
    })?;
    Ok(found)
}

#[test]
fn any_number_of_threads_makes_the_same_batches() -> Result<()> {
    for (items, size) in [(1, 1), (7, 3), (61, 8), (64, 8), (5, 9)] {
        let data = Numbered::new(items);
        let order = Order::shuffled(items, 3, 1)?;
        let expected = labels(&Loader::new(size).workers(0), &data, &order)?;
        for workers in [1, 2, 5] {
            for ahead in [0, 2, 7] {
                let loader = Loader::new(size).workers(workers).ahead(ahead);
                assert_eq!(labels(&loader, &data, &order)?, expected, "{workers} threads, {ahead} ahead");
            }
        }
        let mut seen: Vec<i32> = expected.concat()[..items].to_vec();
        seen.sort_unstable();
        assert_eq!(seen, (0..items as i32).collect::<Vec<_>>(), "each item comes once");
    }
    Ok(())
}

#[test]
fn orders_follow_from_seed_and_epoch() -> Result<()> {
    let of =
        |seed, epoch| -> Result<Vec<usize>> { Ok(Order::shuffled(100, seed, epoch)?.indices().collect()) };
    assert_eq!(of(7, 3)?, of(7, 3)?);
    assert_ne!(of(7, 3)?, of(7, 4)?);
    assert_ne!(of(7, 3)?, of(8, 3)?);
    assert_eq!(Order::sequential(3)?.indices().collect::<Vec<_>>(), [0, 1, 2]);
    Ok(())
}

#[test]
fn a_last_batch_is_filled_padded_short_or_left_out() -> Result<()> {
    let data = Numbered::new(7);
    let order = Order::sequential(7)?;
    let of = |last| labels(&Loader::new(5).last(last), &data, &order);
    let first = vec![0, 1, 2, 3, 4];
    let ignored = IGNORED_LABEL;
    assert_eq!(of(Last::Fill)?, [first.clone(), vec![5, 6, 0, 1, 2]]);
    assert_eq!(of(Last::Pad(1))?, [first.clone(), vec![5, 6, ignored, ignored, ignored]]);
    assert_eq!(of(Last::Short)?, [first.clone(), vec![5, 6]]);
    assert_eq!(of(Last::Drop)?, [first]);
    Ok(())
}

#[test]
fn reading_starts_at_any_batch_and_may_end_early() -> Result<()> {
    let data = Numbered::new(64);
    let order = Order::shuffled(64, 0, 0)?;
    let loader = Loader::new(4).workers(3);
    let all = labels(&loader, &data, &order)?;
    let mut from = Vec::new();
    loader.run(&data, &order, 9..12, |batch| {
        from.push(batch.i32("label")?.to_vec());
        Ok(())
    })?;
    assert_eq!(from, all[9..12]);
    let mut count = 0;
    let ended = loader.run(&data, &order, 0..16, |_| {
        count += 1;
        if count == 3 { Err(Error::Graph("enough".into())) } else { Ok(()) }
    });
    assert!(ended.is_err_and(|error| error.to_string().contains("enough")));
    assert_eq!(data.reading.load(Ordering::SeqCst), 0, "no thread goes on");
    Ok(())
}

#[test]
fn threads_read_at_the_same_time_and_within_their_memory() -> Result<()> {
    let data = Numbered::new(256);
    let loader = Loader::new(8).workers(4).ahead(8);
    labels(&loader, &data, &Order::sequential(256)?)?;
    let threads = data.threads.lock().expect("no test panics under it").clone();
    assert!(threads.iter().all(|name| name.starts_with("wgrad loader ")), "{threads:?}");
    assert!((2..=4).contains(&data.most.load(Ordering::SeqCst)));
    Ok(())
}

#[test]
fn a_damaged_item_is_named_or_replaced_by_the_next() -> Result<()> {
    let mut data = Numbered::new(20);
    data.bad = BTreeSet::from([3, 4, 19]);
    let order = Order::sequential(20)?;
    for workers in [0, 2] {
        let loader = Loader::new(6).workers(workers);
        let error = labels(&loader, &data, &order).expect_err("item 3 can't be read").to_string();
        assert!(error.contains("item 3 is damaged"), "{error}");
        let mut found = Vec::new();
        let mut told = Vec::new();
        loader.skip_damaged(true).run(&data, &order, 0..4, |batch| {
            found.extend_from_slice(&batch.indices()[..batch.samples()]);
            told.extend(batch.damaged_items().iter().map(|(index, error)| (*index, error.to_string())));
            Ok(())
        })?;
        let mut expected: Vec<usize> = (0..20).collect();
        (expected[3], expected[4], expected[19]) = (5, 5, 0);
        assert_eq!(found, expected);
        // The last batch is filled up with items 0 to 3.
        assert_eq!(told.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [3, 4, 4, 19, 3, 4]);
        assert!(told[0].1.contains("item 3 is damaged"));
    }
    data.bad = (0..20).collect();
    let error = Loader::new(4).skip_damaged(true).run(&data, &order, 0..1, |_| Ok(()));
    assert!(error.is_err_and(|error| error.to_string().contains("is damaged")), "there is no item left");
    Ok(())
}

#[test]
fn memory_is_used_again() -> Result<()> {
    let (data, loader) = (Numbered::new(48), Loader::new(4).workers(2).ahead(3));
    let mut places = BTreeSet::new();
    loader.run(&data, &Order::sequential(48)?, 0..12, |batch| {
        places.insert(batch.u8("bytes")?.as_ptr().addr());
        Ok(())
    })?;
    assert!(places.len() <= 3, "12 batches are in {} places", places.len());
    Ok(())
}

#[test]
fn a_data_set_that_panics_is_an_error() -> Result<()> {
    let mut data = Numbered::new(20);
    (data.bad, data.panics) = (BTreeSet::from([9]), true);
    let error = labels(&Loader::new(4).workers(2), &data, &Order::sequential(20)?);
    let error = error.expect_err("item 9 panics").to_string();
    assert!(error.contains("panicked in batch 2"), "{error}");
    Ok(())
}

#[test]
fn settings_and_fields_that_do_not_fit_are_refused() -> Result<()> {
    let data = Numbered::new(7);
    let order = Order::sequential(7)?;
    let refused = |found: Result<()>, part: &str| {
        let message = found.expect_err("it does not fit").to_string();
        assert!(message.contains(part), "{message}");
    };
    let run = |loader: Loader| loader.run(&data, &order, 0..1, |_| Ok(()));
    refused(run(Loader::new(0)), "batch_size");
    refused(run(Loader::new(usize::MAX / 2).workers(0)), "bytes");
    refused(run(Loader::new(4).last(Last::Pad(0))), "no labels there");
    refused(run(Loader::new(4).last(Last::Pad(9))), "no labels there");
    refused(Loader::new(4).run(&data, &order, 0..3, |_| Ok(())), "there are 2");
    refused(Loader::new(4).run(&data, &Order::sequential(8)?, 0..1, |_| Ok(())), "item 7 of 7");
    let get =
        |field: &'static str| Loader::new(4).run(&data, &order, 0..1, |batch| batch.f32(field).map(drop));
    refused(get("float"), "no field \"float\"; there are bytes, label, floats");
    refused(get("label"), "\"label\" holds i32, asked for f32");
    Ok(())
}

#[test]
fn images_are_bytes_with_labels() -> Result<()> {
    let images = Images::new((0..24).collect(), vec![0, 1, 2, 1], 2, 3, 3)?;
    let data: Box<dyn Dataset> = Box::new(&images);
    assert_eq!((data.len(), data.label(2), data.label(4), data.is_empty()), (4, Some(2), None, false));
    let loader = Loader::new(2);
    let mut all = Vec::new();
    loader.run(&data, &Order::sequential(4)?, 0..2, |batch| {
        assert!(matches!(batch.columns(), [HostData::U8(_), HostData::I32(_)]));
        all.extend_from_slice(batch.u8("image")?);
        Ok(())
    })?;
    assert_eq!(all, (0..24).collect::<Vec<u8>>());
    Ok(())
}
