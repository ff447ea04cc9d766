//! Pictures of many kinds, compared with what Pillow makes of them (`tests/fixtures/pictures.py`), and sizes of which the
//! answer is known.

use super::refused;
use crate::harness::{files::write, root};
use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use safetensors::SafeTensors;
use std::io::Cursor;
use tempfile::TempDir;
use wgrad::data::{Fit, Picture};

/// The largest difference of a byte, and the mean.
fn difference(found: &[u8], expected: &[u8]) -> (u8, f64) {
    assert_eq!(found.len(), expected.len());
    let differences = || found.iter().zip(expected).map(|(&a, &b)| a.abs_diff(b));
    let sum: f64 = differences().map(f64::from).sum();
    (differences().max().unwrap(), sum / found.len() as f64)
}

#[test]
fn pictures_are_those_of_pillow() {
    let bytes = std::fs::read(root().join("tests/fixtures/pictures.safetensors")).unwrap();
    let fixture = SafeTensors::deserialize(&bytes).unwrap();
    let folder = TempDir::new().unwrap();
    let mut names: Vec<&str> =
        fixture.names().into_iter().filter_map(|name| name.strip_suffix(".file")).collect();
    names.sort_unstable();
    assert_eq!(names.len(), 18);
    for name in names {
        let path = write(folder.path(), name, fixture.tensor(&format!("{name}.file")).unwrap().data());
        for (kind, picture) in [
            ("rgb.stretch", Picture::rgb(20, 33).fit(Fit::Stretch)),
            ("rgb.crop", Picture::rgb(24, 24).fit(Fit::Crop(29))),
            ("rgb.larger", Picture::rgb(60, 60)),
            ("grey.crop", Picture::grey(24, 24).fit(Fit::Crop(29))),
        ] {
            let expected = fixture.tensor(&format!("{name}.{kind}")).unwrap();
            assert_eq!(expected.shape(), picture.shape());
            let read = picture.read(&path).unwrap();
            assert_eq!(picture.decode(&std::fs::read(&path).unwrap()).unwrap(), read);
            let (most, mean) = difference(&read, expected.data());
            // Pillow rounds to bytes between columns and rows too. Decoders of JPEG round differently, and interpolate
            // colours of half the resolution differently.
            let (most_allowed, mean_allowed) = match name {
                "jpeg_420" => (8, 0.6),
                _ if name.starts_with("jpeg") => (2, 0.25),
                _ => (1, 0.25),
            };
            assert!(most <= most_allowed && mean <= mean_allowed, "{name} {kind}: {most}, mean {mean}");
        }
    }
}

fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn a_picture_of_its_own_size_keeps_its_bytes() {
    let folder = TempDir::new().unwrap();
    let image = RgbImage::from_fn(13, 9, |x, y| Rgb([x as u8 * 19, y as u8 * 28, (x * y) as u8]));
    let planes: Vec<u8> =
        (0..3).flat_map(|channel| image.pixels().map(move |pixel| pixel[channel])).collect();
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let path = write(folder.path(), "picture", &encoded(&image, format));
        assert_eq!(Picture::rgb(9, 13).fit(Fit::Stretch).read(&path).unwrap(), planes);
    }
    // Without scaling, a crop takes the middle: columns 2 to 10.
    let path = write(folder.path(), "picture", &encoded(&image, ImageFormat::Png));
    let middle: Vec<u8> = planes.chunks(13).flat_map(|row| &row[2..11]).copied().collect();
    assert_eq!(Picture::rgb(9, 9).read(&path).unwrap(), middle);
}

#[test]
fn one_colour_stays_one_colour_at_any_size() {
    let folder = TempDir::new().unwrap();
    for (case, (width, height)) in
        [(1, 1), (1, 300), (300, 1), (7, 5), (200, 100), (16, 16), (3, 997)].into_iter().enumerate()
    {
        let image = RgbImage::from_pixel(width, height, Rgb([255, 0, 77]));
        let path = write(folder.path(), "picture.png", &encoded(&image, ImageFormat::Png));
        for (rows, columns) in [(1, 1), (8, 8), (5, 64), (224, 3)] {
            let fits = [Fit::Stretch, Fit::Crop(rows.max(columns)), Fit::Crop(rows.max(columns) + 13)];
            let pixels = Picture::rgb(rows, columns).fit(fits[case % 3]).read(&path).unwrap();
            let plane = rows * columns;
            assert!(
                pixels[..plane].iter().all(|&byte| byte == 255),
                "{width} x {height} to {rows} x {columns}"
            );
            assert!(pixels[plane..2 * plane].iter().all(|&byte| byte == 0));
            assert!(pixels[2 * plane..].iter().all(|&byte| byte == 77));
        }
    }
}

#[test]
fn a_shrunk_picture_is_a_mean() {
    let folder = TempDir::new().unwrap();
    // A fine chequerboard is grey from afar; sampled without averaging it would be black or white.
    let image = GrayImage::from_fn(256, 256, |x, y| Luma([if (x + y) % 2 == 0 { 255 } else { 0 }]));
    let path = folder.path().join("board.png");
    image.save(&path).unwrap();
    let pixels = Picture::grey(16, 16).read(&path).unwrap();
    assert!(pixels.iter().all(|&byte| byte.abs_diff(127) <= 2), "{pixels:?}");
}

#[test]
fn damaged_pictures_are_refused() {
    let folder = TempDir::new().unwrap();
    let image = RgbImage::from_fn(64, 48, |x, y| Rgb([x as u8 * 4, y as u8 * 5, (x ^ y) as u8]));
    let mut jpeg = Vec::new();
    image.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, 90)).unwrap();
    let read = |bytes: &[u8]| Picture::rgb(8, 8).read(write(folder.path(), "x.jpg", bytes));
    assert!(read(&jpeg).is_ok());
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let file = encoded(&image, format);
        refused(read(&file[..file.len() * 3 / 4]), &["x.jpg", "is damaged"]);
    }
    // A picture that ends early is not filled up with grey.
    for part in 1..8 {
        refused(read(&jpeg[..jpeg.len() * part / 8]), &["x.jpg", "JPEG"]);
    }
    refused(read(b""), &["x.jpg", "is empty"]);
    refused(read(b"GIF89a"), &["x.jpg", "is no PNG, JPEG or WebP"]);
    refused(read(b"<!doctype html><html>"), &["x.jpg", "HTML"]);
    refused(Picture::rgb(8, 8).read(folder.path().join("none.jpg")), &["none.jpg"]);
    refused(Picture::rgb(8, 8).read(folder.path()), &["directory"]);
    for file in [&jpeg, &encoded(&image, ImageFormat::Png)] {
        let few = Picture::rgb(8, 8).most_pixels(64 * 48 - 1).decode(file);
        refused(few, &["(bytes in memory)", "has 64 x 48 pixels, the most is 3071"]);
        assert!(Picture::rgb(8, 8).most_pixels(64 * 48).decode(file).is_ok());
    }
    let long = RgbImage::new(2, 32_769);
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        refused(read(&encoded(&long, format)), &["x.jpg", "is too large", "2 x 32769", "32768"]);
    }
    assert!(read(&encoded(&RgbImage::new(2, 32_768), ImageFormat::Jpeg)).is_ok());
    refused(Picture::rgb(8, 8).decode(b"GIF89a"), &["(bytes in memory)", "PNG, JPEG or WebP"]);
    // A header that promises far more than the file can hold.
    let at = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap() + 5;
    jpeg[at..at + 4].copy_from_slice(&[0x7f, 0xff, 0x7f, 0xff]);
    refused(read(&jpeg), &["x.jpg", "promises 32767 x 32767 pixels"]);
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    for picture in [Picture::rgb(0, 3), Picture::rgb(3, 0), Picture::grey(1 << 15, 3)] {
        refused(picture.read("x.png"), &["picture", "expected sides"]);
    }
    for shorter in [0, 31, 1 << 20, usize::MAX] {
        refused(Picture::rgb(24, 32).fit(Fit::Crop(shorter)).read("x.png"), &["fit", "expected 32 to"]);
    }
}
