//! Data sets: images in memory and in files, tensors, parts. The loader has a module of its own.

mod folders;
mod grid;
mod idx;
mod pictures;
mod published;
mod splits;
mod tensors;

use wgrad::data::{Batch, Dataset, Images, Loader, Order, Split};
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

#[test]
fn settings_that_make_no_sense_are_refused() {
    let message = |e: wgrad::Error| e.to_string();
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
