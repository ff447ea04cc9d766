//! Images side by side in a PNG, and augmented ones beside those that they were.

use super::refused;
use crate::harness::device;
use tempfile::TempDir;
use wgrad::data::{Dataset, Grid, Images, Numbered, save_augmented};
use wgrad::nn::Augment;
use wgrad::{HostTensor, Result};

/// Height, width, and red, green and blue of each pixel.
fn decoded(png: &[u8]) -> (usize, usize, Vec<[u8; 3]>) {
    let image = image::load_from_memory(png).expect("it is a PNG").to_rgb8();
    let pixels = image.pixels().map(|pixel| pixel.0).collect();
    (image.height() as usize, image.width() as usize, pixels)
}

#[test]
fn a_grid_has_each_image_in_its_place() -> Result<()> {
    let mut grid = Grid::new(2);
    let floats = vec![0.0, 1.0, -3.0, 7.0, f32::NAN, 0.5, f32::INFINITY, f32::NEG_INFINITY];
    grid.push(&HostTensor::f32([2, 1, 2, 2], floats)?)?;
    grid.push(&HostTensor::u8([1, 3, 1, 2], vec![1, 2, 3, 4, 5, 6])?)?;
    assert_eq!(grid.size(), [10, 10]);
    let (height, width, pixels) = decoded(&grid.png()?);
    assert_eq!([height, width], grid.size());
    let white = [255; 3];
    let mut expected = vec![white; 100];
    for (y, x, pixel) in [
        (2, 2, [0; 3]),
        (2, 3, white),
        (3, 2, [0; 3]),
        (3, 3, white),
        (2, 6, [0; 3]),
        (2, 7, [128; 3]),
        (3, 6, white),
        (3, 7, [0; 3]),
        (6, 2, [1, 3, 5]),
        (6, 3, [2, 4, 6]),
    ] {
        expected[10 * y + x] = pixel;
    }
    assert_eq!(pixels, expected);
    refused(Grid::new(2).png(), &["0 images"]);
    refused(grid.push(&HostTensor::filled([1, 2, 3, 3], 0.0)?), &["1 or 3 channels", "[1, 2, 3, 3]"]);
    refused(grid.push(&HostTensor::i32([1, 1, 1, 1], vec![3])?), &["i32"]);
    refused(grid.save("grid.jpg"), &["grid.jpg", ".png"]);
    Ok(())
}

#[test]
fn augmented_items_stand_beside_what_they_were() -> Result<()> {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let path = folder.path().join("augmented.png");
    let bytes: Vec<u8> = (0..4 * 6 * 5).map(|i| (i * 37) as u8).collect();
    let data = Images::new(bytes.clone(), vec![0, 1, 0, 1], 6, 5, 2)?;
    let augment =
        Augment::new(4).random_crop([6, 5], 2).alternating_flip("item", 1).normalize(&[0.3], &[0.1]);
    save_augmented(&path, device(), &augment, &data, 3, 2)?;
    let (height, width, pixels) = decoded(&std::fs::read(&path).expect("it was written"));
    assert_eq!((height, width), (2 + 3 * 8, 2 + 3 * 7));
    let samples = augment.sample(device(), &HostTensor::u8([3, 1, 6, 5], bytes[..90].to_vec())?, 2)?;
    for item in 0..3 {
        for (i, byte) in bytes[30 * item..][..30].iter().enumerate() {
            let at = |column: usize| pixels[(2 + 8 * item + i / 5) * width + 2 + 7 * column + i % 5];
            assert_eq!(at(0), [*byte; 3]);
            for (column, sample) in samples.iter().enumerate() {
                let value = (255.0 * sample.to_f64()[30 * item + i]).round() as u8;
                assert_eq!(at(1 + column), [value; 3]);
            }
        }
    }
    refused(save_augmented(&path, device(), &augment, &data, 5, 2), &["1 to 4", "5"]);
    refused(save_augmented(folder.path().join("a.gif"), device(), &augment, &data, 1, 1), &[".png"]);
    Ok(())
}

#[test]
fn items_have_their_numbers_beside_their_fields() -> Result<()> {
    let data = Images::new(vec![7; 4 * 2], vec![0, 1, 0, 1], 1, 2, 2)?;
    let numbered = Numbered::new(&data, "item")?;
    let found = super::all(&numbered, |batch| {
        Ok((batch.u8("image")?.to_vec(), batch.i32("label")?.to_vec(), batch.i32("item")?.to_vec()))
    })?;
    assert_eq!(found, (vec![7; 8], vec![0, 1, 0, 1], vec![0, 1, 2, 3]));
    assert_eq!((numbered.len(), numbered.label(1), numbered.class_names()), (4, Some(1), data.class_names()));
    refused(Numbered::new(&data, "label"), &["label", "another name"]);
    Ok(())
}
