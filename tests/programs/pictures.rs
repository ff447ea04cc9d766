//! The examples that end in a picture, at a small size.

use super::{command, text};
use crate::harness::files::{self, gzip, images, labels};
use std::io::Read;
use std::path::Path;
use tempfile::TempDir;

/// Runs an example and returns what it prints.
fn run(example: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = command(example, folder).args(arguments).output().expect("the example can be started");
    assert!(output.status.success(), "{example}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// As many images of a digit's size as the examples take at the least.
fn digits(folder: &Path) {
    for (name, count) in [("train", 200), ("t10k", 100)] {
        let (images, labels) = (gzip(&images(count, 28, 28)), gzip(&labels(count)));
        files::write(folder, &format!("{name}-images-idx3-ubyte.gz"), &images);
        files::write(folder, &format!("{name}-labels-idx1-ubyte.gz"), &labels);
    }
}

/// Fails unless the file is a PNG of at least this size that is not blank.
pub(super) fn assert_is_picture(path: &Path, least: [u32; 2]) {
    let bytes = std::fs::read(path).expect("the picture was written");
    let rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n").expect("it is a PNG");
    let number = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().expect("four bytes"));
    // The first chunk is the header: length, type, width and height.
    let size = [number(8), number(12)];
    assert!(size[0] >= least[0] && size[1] >= least[1], "{size:?}, expected at least {least:?}");
    let (mut data, mut at) = (Vec::new(), 0);
    while at < rest.len() {
        let (length, kind) = (number(at) as usize, &rest[at + 4..at + 8]);
        if kind == b"IDAT" {
            data.extend(&rest[at + 8..at + 8 + length]);
        }
        at += 12 + length;
    }
    let mut pixels = Vec::new();
    flate2::read::ZlibDecoder::new(&data[..]).read_to_end(&mut pixels).expect("the data is whole");
    let mut seen = [false; 256];
    pixels.iter().for_each(|&byte| seen[usize::from(byte)] = true);
    let shades = seen.iter().filter(|seen| **seen).count();
    assert!(shades > 50, "{shades} shades");
}

#[test]
fn the_overview_says_sizes_and_draws_them() {
    let work = TempDir::new().expect("there is room for temporary files");
    let printed = run("overview", work.path(), &["o.png", "64"]);
    for line in ["edges by (-1, 1): 63 x 64", "mean: 8 x 8", "valid padding: 8 x 8", "full padding: 24 x 24"]
    {
        assert!(printed.lines().any(|printed| printed == line), "no \"{line}\" in:\n{printed}");
    }
    assert_is_picture(&work.path().join("o.png"), [600, 200]);
}

#[test]
fn the_autoencoder_restores_digits() {
    let work = TempDir::new().expect("there is room for temporary files");
    digits(work.path());
    let printed = run("autoencoder", work.path(), &["--steps", "3", "--data", ".", "--picture", "a.png"]);
    assert!(printed.contains("squared error on test digits"), "{printed}");
    assert_is_picture(&work.path().join("a.png"), [10 * 84, 3 * 84]);
}

#[test]
fn uncertainty_reads_digits_with_masks() {
    let work = TempDir::new().expect("there is room for temporary files");
    digits(work.path());
    let sizes = ["--steps", "2", "--masks", "3", "--digits", "100"];
    let printed =
        run("uncertainty", work.path(), &[&sizes[..], &["--data", ".", "--picture", "u.png"]].concat());
    assert!(printed.contains("of all 100 digits"), "{printed}");
    assert_is_picture(&work.path().join("u.png"), [8 * 112, 3 * 112]);
}

#[test]
fn the_gan_makes_digits_and_resumes() {
    let work = TempDir::new().expect("there is room for temporary files");
    digits(work.path());
    let arguments = ["--data", ".", "--picture", "g.png", "--checkpoint", "gan.safetensors", "--steps"];
    let first = run("gan", work.path(), &[&arguments[..], &["2"]].concat());
    assert!(first.contains("step 2: loss of the discriminator"), "{first}");
    assert_is_picture(&work.path().join("g.png"), [10 * 56, 4 * 56]);
    let resumed = run("gan", work.path(), &[&arguments[..], &["4"]].concat());
    assert!(resumed.contains("resumes at step 2") && resumed.contains("step 4: loss"), "{resumed}");
}

#[test]
fn a_folder_of_pictures_becomes_a_model_that_another_process_reads() {
    let folder = TempDir::new().unwrap();
    for (class, colour) in [("grass", [40, 160, 50]), ("sky", [90, 130, 220])] {
        let class = folder.path().join("pictures").join(class);
        std::fs::create_dir_all(&class).unwrap();
        for i in 0..20u8 {
            let shade = |x: u32, y: u32| (x as u8).wrapping_mul(i).wrapping_add(y as u8) % 30;
            let picture = image::RgbImage::from_fn(80, 70, |x, y| {
                image::Rgb(colour.map(|part: u8| part.saturating_add(shade(x, y))))
            });
            picture.save(class.join(format!("{i}.png"))).unwrap();
        }
    }
    let said = run("pictures", folder.path(), &["train", "pictures"]);
    for part in ["32 pictures of grass, sky", "epoch 10/10", "accuracy 1.0000"] {
        assert!(said.contains(part), "{said}");
    }
    let said = run("pictures", folder.path(), &["read", "pictures/sky/3.png", "pictures/grass/4.png"]);
    assert_eq!(said, "pictures/sky/3.png: sky\npictures/grass/4.png: grass\n");
    let help = run("pictures", folder.path(), &["--help"]);
    assert!(help.contains("train") && help.contains("read"), "{help}");
}
