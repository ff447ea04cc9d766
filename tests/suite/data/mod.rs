//! Data sets and batches: every sample once an epoch, the order from seed and epoch alone, whole
//! batches in training and exact padding in evaluation.

mod folders;
mod idx;
mod pictures;
mod published;
mod splits;
mod tensors;

use wgrad::data::{Batch, Dataset, IGNORED_LABEL, Images, Loader, Order, Split};
use wgrad::{Error, Result};

/// All items of a data set as one batch.
fn all<T>(data: &impl Dataset, get: impl Fn(&Batch) -> Result<T>) -> Result<T> {
    let mut found = None;
    Loader::new(data.len()).workers(0).run(data, &Order::sequential(data.len())?, 0..1, |batch| {
        found = Some(get(batch)?);
        Ok(())
    })?;
    Ok(found.expect("there is one batch"))
}

/// Checks that it is an error with these parts in its message.
fn refused<T>(found: Result<T>, parts: &[&str]) {
    let message = match found {
        Err(error @ Error::Data { .. } | error @ Error::Setting { .. } | error @ Error::File { .. }) => {
            error.to_string()
        }
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("expected an error that says {parts:?}"),
    };
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

/// `count` images of 2 x 3 pixels; the first pixel is the image's number, its class that modulo 10.
fn numbered(count: usize) -> Images {
    let images = (0..count).flat_map(|i| [i as u8, 0, 255, 1, 128, 7]).collect();
    let labels = (0..count).map(|i| (i % 10) as u8).collect();
    Images::new(images, labels, 2, 3, 10).unwrap()
}

/// The numbers of the images in a batch, told by their first pixels.
fn numbers(images: &[f32]) -> Vec<usize> {
    images.chunks(6).map(|image| (image[0] * 255.0).round() as usize).collect()
}

#[test]
fn every_sample_comes_once_an_epoch_with_its_own_label() {
    let data = numbered(20);
    let mut batches = data.shuffled(1, 0).batches(5).unwrap();
    assert_eq!(batches.count(), 4);
    let mut seen = Vec::new();
    while let Some(batch) = batches.next_batch() {
        assert_eq!(batch.samples, 5);
        for (number, &label) in numbers(batch.images).into_iter().zip(batch.labels) {
            assert_eq!(label, (number % 10) as i32);
            seen.push(number);
        }
    }
    assert_ne!(seen, (0..20).collect::<Vec<_>>(), "the order was shuffled");
    seen.sort_unstable();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
}

#[test]
fn the_order_follows_from_seed_and_epoch() {
    let data = numbered(100);
    let order = |seed, epoch| data.shuffled(seed, epoch).order().to_vec();
    assert_eq!(order(7, 3), order(7, 3));
    assert_ne!(order(7, 3), order(7, 4));
    assert_ne!(order(7, 3), order(8, 3));
}

#[test]
fn the_last_training_batch_is_filled_from_the_start_of_the_order() {
    let data = numbered(7);
    let samples = data.shuffled(2, 0);
    let order: Vec<usize> = samples.order().iter().map(|&i| i as usize).collect();
    let mut batches = samples.batches(5).unwrap();
    assert_eq!(batches.count(), 2);
    assert_eq!(numbers(batches.next_batch().unwrap().images), order[..5]);
    let last = batches.next_batch().unwrap();
    assert_eq!(last.samples, 2);
    assert_eq!(numbers(last.images), [order[5], order[6], order[0], order[1], order[2]]);
    assert!(last.labels.iter().all(|&label| label >= 0));
    assert!(batches.next_batch().is_none());
}

#[test]
fn a_batch_may_be_larger_than_the_data_set() {
    let data = numbered(3);
    let mut batches = data.in_order().batches(8).unwrap();
    assert_eq!(numbers(batches.next_batch().unwrap().images), [0, 1, 2, 0, 1, 2, 0, 1]);
    assert!(batches.next_batch().is_none());
}

#[test]
fn the_last_evaluation_batch_is_padded_with_ignored_labels() {
    let data = numbered(7);
    let mut batches = data.in_order().padded_batches(5).unwrap();
    batches.next_batch().unwrap();
    let last = batches.next_batch().unwrap();
    assert_eq!(last.samples, 2);
    assert_eq!(last.labels, [5, 6, IGNORED_LABEL, IGNORED_LABEL, IGNORED_LABEL]);
    assert!(last.images[12..].iter().all(|&x| x == 0.0));
}

#[test]
fn pixels_are_bytes_over_255() {
    let data = numbered(1);
    let mut batches = data.in_order().batches(1).unwrap();
    let expected = [0.0, 0.0, 1.0, 1.0 / 255.0, 128.0 / 255.0, 7.0 / 255.0];
    assert_eq!(batches.next_batch().unwrap().images, expected);
}

#[test]
fn buffers_are_used_again() {
    let data = numbered(12);
    let mut batches = data.shuffled(0, 0).batches(4).unwrap();
    let first = batches.next_batch().unwrap().images.as_ptr();
    while let Some(batch) = batches.next_batch() {
        assert_eq!(batch.images.as_ptr(), first);
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let data = numbered(3);
    let message = |e: wgrad::Error| e.to_string();
    assert_eq!(message(data.in_order().batches(0).unwrap_err()), "batch_size: found 0, expected at least 1");
    assert!(message(data.in_order().batches(usize::MAX).unwrap_err()).contains("do not fit memory"));
    let error = message(Images::new(vec![0; 5], vec![0; 2], 1, 3, 10).unwrap_err());
    assert_eq!(error, "images: found 5 bytes, expected 2 images x 1 rows x 3 columns");
    let error = message(Images::new(vec![0; 2], vec![1, 3], 1, 1, 3).unwrap_err());
    assert_eq!(error, "labels: label 3 at position 1, expected 0 to 2");
    assert!(Images::new(vec![], vec![], 1, 1, 3).is_err());
}

#[test]
fn mnist_is_as_it_was_published() {
    let directory = crate::harness::root().join("examples/data/mnist");
    for (split, count, first) in
        [(Split::Train, 60_000, [5, 0, 4, 1, 9]), (Split::Test, 10_000, [7, 2, 1, 0, 4])]
    {
        let data = Images::load(&directory, split).unwrap();
        assert_eq!((data.len(), data.rows(), data.columns(), data.classes()), (count, 28, 28, 10));
        assert_eq!(data.labels()[..5], first);
        assert!(data.image(count - 1).is_some());
        assert!(data.image(count).is_none());
    }
    // Mean and deviation that everyone normalises MNIST by: 0.1307 and 0.3081.
    let data = Images::load(&directory, Split::Train).unwrap();
    let (mut sum, mut squares, mut pixels) = (0u64, 0u64, 0u64);
    for image in (0..data.len()).filter_map(|i| data.image(i)) {
        for &byte in image {
            sum += u64::from(byte);
            squares += u64::from(byte) * u64::from(byte);
            pixels += 1;
        }
    }
    let mean = sum as f64 / pixels as f64 / 255.0;
    let deviation = (squares as f64 / pixels as f64 / (255.0 * 255.0) - mean * mean).sqrt();
    assert!((mean - 0.1307).abs() < 1e-4 && (deviation - 0.3081).abs() < 1e-4, "{mean} {deviation}");
}
